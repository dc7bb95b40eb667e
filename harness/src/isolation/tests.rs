//! The second run, which only this library can ask for. The rest is tested from outside,
//! in `highwater-tests`.

use super::*;

fn test(name: &'static str) -> Isolated {
    Isolated {
        module: module_path!(),
        name,
        time_limit_ms: None,
        in_process: false,
        real_random: false,
        any_panic_passes: false,
    }
}

#[test]
fn the_runner_knows_a_test_by_its_path_without_the_crate() {
    let path = |module| {
        let test = Isolated {
            module,
            ..test("bounded")
        };
        test.path()
    };
    assert_eq!(path("prices"), "bounded");
    assert_eq!(path("prices::cache::tests"), "cache::tests::bounded");
}

#[cfg(highwater_unix)]
mod second_run {
    use super::super::*;
    use super::test;

    #[test]
    fn a_failed_scenario_is_run_again_and_that_run_counts() {
        isolated(
            &Isolated {
                module: module_path!(),
                ..test("a_failed_scenario_is_run_again_and_that_run_counts")
            },
            || {
                wants_call_stacks(0, "first", false, 1 << 40);
                if !is_second_run() {
                    assert!(can_run_again());
                    wants_call_stacks(3, "second", true, 7);
                    panic!("the first run's panic is not the test's");
                }
                assert!(!can_run_again());
                let first = second_run(0).expect("the first run asked for it");
                assert_eq!((first.name.as_str(), first.failed), ("first", false));
                assert_eq!(first.peak_bytes, 1 << 40);
                assert_eq!(second_run(1), None);
                let second = second_run(3).expect("the first run asked for it");
                assert!(second.failed);
                wants_call_stacks(3, "second", true, 8);
            },
        );
    }

    #[test]
    #[should_panic(expected = "memory scenario `cache` is unsteady: it failed in one run and")]
    fn one_that_passes_the_second_time_is_unsteady() {
        isolated(
            &Isolated {
                module: module_path!(),
                ..test("one_that_passes_the_second_time_is_unsteady")
            },
            || wants_call_stacks(0, "cache", !is_second_run(), 7),
        );
    }

    #[test]
    #[should_panic(expected = "the second run said:\n\nnot this time")]
    fn one_that_is_not_met_the_second_time_is_unsteady() {
        isolated(
            &Isolated {
                module: module_path!(),
                ..test("one_that_is_not_met_the_second_time_is_unsteady")
            },
            || {
                assert!(!is_second_run(), "not this time");
                wants_call_stacks(0, "cache", true, 7);
            },
        );
    }

    #[test]
    #[should_panic(expected = "the second run's")]
    fn a_run_may_end_at_once_for_the_second() {
        isolated(
            &Isolated {
                module: module_path!(),
                ..test("a_run_may_end_at_once_for_the_second")
            },
            || {
                if can_run_again() {
                    restart_with_call_stacks();
                }
                assert_eq!(second_run(0), None);
                panic!("the second run's");
            },
        );
    }

    #[test]
    #[should_panic(
        expected = "memory scenario `cache` failed: set-up called exit with code 3\n\n  \
                               live then: 12,345 B in 6 blocks\n\nthe report so far:\n\nten steps\n"
    )]
    fn what_was_known_is_told_with_the_death() {
        isolated(
            &Isolated {
                module: module_path!(),
                ..test("what_was_known_is_told_with_the_death")
            },
            || {
                progress::scenario_starts("earlier");
                progress::report_so_far(|| "nothing".to_owned());
                progress::scenario_ends();
                progress::scenario_starts("cache");
                progress::report_so_far(|| "five steps".to_owned());
                progress::report_so_far(|| "ten steps".to_owned());
                progress::at(progress::Position::SetUp, 12_345, 6);
                std::process::exit(3);
            },
        );
    }
}
