//! What a soak on the real clock says, from made-up figures.

use super::clock::Pace;
use super::floors::Seen;
use super::parts::{CleanUps, Messages};
use super::real::{Open, Real};
use super::text::{Answer, Criterion};
use super::{Asked, Life, Soak};
use highwater::ByteSize;
use highwater_monitor::{Monitor, Sample};
use std::time::{Duration, SystemTime};

/// The least that a run on the real clock may last, and seven hours.
const MINUTE: u64 = 60;
const LONG: u64 = 7 * 3_600;

/// What happens in the second of this number.
struct Second {
    memory: u64,
    descriptors: Option<u64>,
}

fn asked(seconds: u64) -> Asked {
    Asked {
        hours: 8,
        real: Some(seconds),
        leaky: None,
        limit: ByteSize::gb(6),
        state: None,
    }
}

/// A soak in which this was seen, and nothing was lost.
fn soak(asked: &Asked, seconds: impl Fn(u64) -> Second) -> Soak<'_> {
    let monitor = Monitor::builder().interval(Duration::from_secs(1)).build();
    let mut soak = Soak::new(asked, 2_400);
    let (mut seen, mut most) = (Seen::default(), None);
    let end = soak.begin + asked.seconds();
    for second in soak.begin..end {
        let Second {
            memory,
            descriptors,
        } = seconds(second - soak.begin);
        let mut sample = Sample::at(SystemTime::UNIX_EPOCH + Duration::from_secs(second));
        sample.resident_bytes = Some(memory);
        sample.descriptors = descriptors;
        most = most.max(descriptors);
        seen.push(&sample);
        // Verdicts of the monitor are not looked at here: some of the last samples will do.
        if second + 40 > end {
            monitor.observe(sample);
        }
        soak.memory.push(memory);
    }
    let open = |second| Open {
        all: seconds(second).descriptors,
        sockets: Some(40),
    };
    soak.real = Some(Real {
        pace: Pace {
            seconds: asked.seconds(),
            late: 2,
            behind: Duration::from_millis(240),
            longest: Duration::from_millis(1_234),
        },
        begin: open(0),
        most,
        end: open(asked.seconds() - 1),
    });
    let messages = asked.seconds() * 171;
    soak.trades = end * 170;
    soak.processor = Some(Duration::from_millis(asked.seconds() * 10));
    soak.lives.push(Life {
        begin: soak.begin,
        end,
        status: monitor.status(),
        early: None,
        seen: Some(seen),
        messages: Messages {
            sent: messages,
            received: messages,
            malformed: 0,
        },
        clean_ups: CleanUps::default(),
        projection: None,
        is_over: false,
    });
    soak
}

fn steady(second: u64) -> Second {
    Second {
        memory: 50_000_000 + second % 20 * 100_000,
        descriptors: Some(50),
    }
}

fn answers(soak: &Soak<'_>) -> Vec<(&'static str, Answer)> {
    let criteria = soak.criteria();
    let answer = |criterion: &Criterion| (criterion.name, criterion.holds);
    criteria.iter().map(answer).collect()
}

fn answer(soak: &Soak<'_>, name: &str) -> Answer {
    let answers = answers(soak);
    let mut answers = answers.iter().filter(|(criterion, _)| *criterion == name);
    answers.next().expect("there is such a criterion").1
}

fn text(soak: &Soak<'_>) -> String {
    soak.text(&soak.criteria(), 80)
}

#[test]
fn a_steady_minute_holds_what_a_minute_answers() {
    let asked = asked(MINUTE);
    let soak = soak(&asked, steady);
    insta::assert_snapshot!(text(&soak));
    let criteria = soak.criteria();
    let is_open = |one: &Criterion| one.is_missed() || one.is_unknown();
    assert!(!criteria.iter().any(is_open));
}

#[test]
fn growth_descriptors_and_lost_messages_are_missed_criteria() {
    let asked = asked(5 * MINUTE);
    let mut soak = soak(&asked, |second| Second {
        memory: steady(second).memory + second * 50_000,
        descriptors: Some(50 + second / 90),
    });
    soak.lives[0].messages.received -= 2;
    soak.lives[0].messages.malformed = 1;
    insta::assert_snapshot!(text(&soak));
    let missed = answers(&soak).into_iter();
    let missed = missed.filter(|(_, answer)| *answer == Answer::No);
    let missed: Vec<_> = missed.map(|(name, _)| name).collect();
    assert_eq!(missed, ["growth", "descriptors", "messages lost"]);
}

#[test]
fn half_an_hour_is_answered_by_a_run_that_lasts_longer() {
    let asked = asked(LONG);
    let soak = soak(&asked, steady);
    assert_eq!(answer(&soak, "after 30 minutes"), Answer::Yes);
    assert_eq!(answer(&soak, "without a restart"), Answer::TooShort);
}

/// One window of three is 20 MB higher: it may be growth or none, which is said.
#[test]
fn growth_that_may_be_off_by_too_much_is_unknown() {
    let asked = asked(MINUTE);
    let soak = soak(&asked, |second| Second {
        memory: 50_000_000 + u64::from((20..40).contains(&second)) * 20_000_000,
        descriptors: None,
    });
    assert_eq!(answer(&soak, "growth"), Answer::Unknown);
    assert_eq!(answer(&soak, "descriptors"), Answer::Unknown);
    let text = text(&soak);
    let expected = "on the real clock, sound: not known: growth,";
    assert!(text.contains(expected), "{text}");
}
