//! Tests that fail, or say what they see, for `isolation.rs` to run in a test program of
//! their own and look at.

use highwater::{ByteSize, Scenario};
use std::env;
use std::hint::black_box;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::process;
use std::thread;

/// Blocks the thread for ever.
#[inline(never)]
fn wait_for_nobody() {
    loop {
        thread::park();
    }
}

#[inline(never)]
fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == u64::MAX {
        return 0;
    }
    frame[1] + deeper(depth + 1)
}

#[inline(never)]
fn double(text: &mut Vec<u8>) {
    text.extend_from_within(..);
}

#[highwater::test(steps = 2_000)]
#[ignore = "it fails"]
fn aborts_in_a_step(i: u64) {
    if i == 1_234 {
        println!("about to abort");
        process::abort();
    }
}

#[highwater::test(steps = 2_000)]
#[ignore = "it fails"]
fn exits_in_a_step(i: u64) {
    if i == 1_234 {
        process::exit(3);
    }
}

#[highwater::test]
#[ignore = "it fails"]
fn exits_as_if_all_were_well() {
    process::exit(0);
}

#[highwater::test]
// Any panic would do, which is what is tested.
#[allow(clippy::should_panic_without_expect)]
#[should_panic]
#[ignore = "it fails"]
fn aborts_where_a_panic_is_expected() {
    process::abort();
}

#[highwater::test(steps = 100)]
#[ignore = "it fails"]
fn overflows_its_stack(i: u64) {
    if i == 7 {
        println!("{}", deeper(0));
    }
}

#[highwater::test]
#[ignore = "it fails"]
fn doubles_without_end() {
    let scenario = Scenario::new("doubles").memory_budget(ByteSize::mib(16));
    let state = || vec![0_u8; 1 << 20];
    scenario.run(state, |text, i| {
        if i == 9 {
            loop {
                double(text);
            }
        }
    });
}

#[highwater::test(steps = 100, time_limit = "2 s")]
#[ignore = "it fails"]
fn hangs_in_a_step(i: u64) {
    if i == 8 {
        wait_for_nobody();
    }
}

#[highwater::test]
#[ignore = "it fails"]
fn hangs_in_its_body() {
    wait_for_nobody();
}

#[highwater::test]
#[ignore = "it fails"]
fn prints_and_panics() {
    println!("out 1");
    eprintln!("err 2");
    print!("out 3, ");
    panic!("that was all");
}

#[highwater::test]
#[ignore = "it prints"]
fn prints_and_passes() {
    println!("printed and passed");
}

#[highwater::test]
#[ignore = "it fails"]
fn returns_an_error() -> Result<(), String> {
    Err("no candles".to_owned())
}

#[highwater::test]
#[ignore = "it prints"]
fn says_what_it_sees() {
    say_what_is_seen();
}

#[test]
#[ignore = "it prints"]
fn says_what_the_runner_sees() {
    say_what_is_seen();
}

fn say_what_is_seen() {
    println!("seen: {:?}", env::current_dir());
    for (name, value) in env::vars_os() {
        println!("seen: {}={}", name.display(), value.display());
    }
}

#[highwater::test]
#[ignore = "it prints"]
fn says_where_things_are() {
    let (on_stack, on_heap) = (0_u8, Box::new(0_u8));
    println!("here: {:p} {:p}", &raw const on_stack, &raw const *on_heap);
    let large = vec![0_u8; 1 << 20];
    println!("here: {:p}", large.as_ptr());
    thread::spawn(|| {
        let (on_stack, on_heap) = (0_u8, Box::new(0_u8));
        println!("here: {:p} {:p}", &raw const on_stack, &raw const *on_heap);
    })
    .join()
    .expect("it prints");
    let persona = std::fs::read_to_string("/proc/self/personality");
    println!("here: {}", persona.unwrap_or_default());
}

#[highwater::test]
#[ignore = "it prints"]
fn says_which_process_it_is_in() {
    println!("process: {}", process::id());
}

/// Tells who it is, and keeps the connection until it ends.
#[highwater::test]
#[ignore = "it does not end"]
fn calls_and_waits() {
    let path = env::var_os("SUBJECT_CALLS").expect("where to call");
    let mut connection = UnixStream::connect(path).expect("somebody listens");
    connection.write_all(b"!").expect("somebody listens");
    wait_for_nobody();
}

/// The attribute's own call, with a name that no test has.
#[test]
#[ignore = "it fails"]
fn is_not_what_it_says() {
    let test = highwater::__private::Isolated {
        module: module_path!(),
        name: "of_another_name",
        time_limit_ms: None,
        in_process: false,
        real_random: false,
        any_panic_passes: false,
    };
    highwater::__private::isolated(&test, || ());
}

/// One that aborts, among others.
mod among_others {
    #[highwater::test]
    #[ignore = "beside one that fails"]
    fn a_first() {}

    #[highwater::test]
    #[ignore = "it fails"]
    fn b_aborts() {
        std::process::abort();
    }

    #[test]
    #[ignore = "beside one that fails"]
    fn c_last() {}
}

/// Scenarios whose steps are done by a thread that was there before.
mod elsewhere {
    use highwater::{ByteSize, Report, Scenario};
    use highwater_tests::worker::Worker;
    use std::env;
    use std::hint::black_box;
    use std::panic::catch_unwind;
    use std::sync::LazyLock;

    /// A worker for all; who touches it first starts it.
    static WORKER: LazyLock<Worker> = LazyLock::new(|| Worker::start("static worker"));

    #[inline(never)]
    fn keep_a_block() {
        std::mem::forget(black_box(vec![1_u8; 100]));
    }

    fn work_elsewhere(scenario: &Scenario) -> Report {
        WORKER.does(|| ());
        scenario.run(|| (), |(), _| WORKER.does(keep_a_block))
    }

    #[highwater::test]
    #[ignore = "it fails"]
    fn grows_on_a_static_worker() {
        work_elsewhere(&Scenario::new("elsewhere").steps(200)).assert();
    }

    fn limited() -> Scenario {
        let limit = ByteSize::kib(4);
        Scenario::new("limited").steps(200).stop_at(limit)
    }

    #[highwater::test]
    #[ignore = "it fails"]
    fn passes_a_limit_on_a_static_worker() {
        work_elsewhere(&limited()).assert();
    }

    #[highwater::test]
    #[ignore = "it fails"]
    fn passes_a_limit_and_tries_until_nothing_panics() {
        loop {
            if let Ok(report) = catch_unwind(|| work_elsewhere(&limited())) {
                return report.assert();
            }
            println!("caught");
        }
    }

    #[highwater::test]
    #[ignore = "its first run fails"]
    fn needs_call_stacks() {
        println!("in {:?}", env::current_dir());
        env::set_current_dir("/").expect("it is there");
        let report = work_elsewhere(&Scenario::new("elsewhere").steps(200));
        assert!(report.diagnosis().is_some(), "the first run has none");
    }
}
