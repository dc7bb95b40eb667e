//! Tasks on tokio: a scope follows its task across polls, threads and drops.

#![forbid(unsafe_code)]

use highwater::{ByteSize, InScope as _, Scenario, Scope, Usage, measure, measure_async};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Barrier, oneshot};
use tokio::task::JoinSet;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn live(usage: &Usage) -> (u64, u64) {
    (usage.live_bytes, usage.live_blocks)
}

fn multi_thread() -> Runtime {
    let runtime = Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build();
    runtime.expect("a runtime")
}

fn current_thread() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

/// Lets other tasks run, and the scheduler move this one. Tokio's own
/// `yield_now` keeps a list of those who yield, whose growth would be counted for
/// the task that happens to cause it.
async fn give_way() {
    let mut has_waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Allocates across many polls, so that it may move from worker to worker.
async fn wander(blocks: usize, size: usize) -> Vec<Vec<u8>> {
    let mut kept = Vec::with_capacity(blocks);
    for _ in 0..blocks {
        kept.push(vec![0_u8; size]);
        give_way().await;
    }
    kept
}

#[test]
fn each_task_has_its_own_exact_figures() {
    let runtime = multi_thread();
    let scopes: Vec<_> = (1..=16).map(|_| Scope::enter("task").handle()).collect();
    let tasks: Vec<_> = scopes
        .iter()
        .enumerate()
        .map(|(n, scope)| runtime.spawn(wander(100, 10 * (n + 1)).in_scope(scope)))
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        let kept = runtime.block_on(task).expect("it ends");
        let room = 100 * size_of::<Vec<u8>>() as u64;
        let expected = (room + 100 * 10 * (n as u64 + 1), 101);
        assert_eq!(live(&scopes[n].usage()), expected);
        drop(kept);
        assert_eq!(live(&scopes[n].usage()), (0, 0));
    }
}

/// What `wander` keeps.
fn kept(blocks: u64, size: u64) -> (u64, u64) {
    let room = blocks * size_of::<Vec<u8>>() as u64;
    (room + blocks * size, blocks + 1)
}

#[test]
fn a_measured_future_has_the_figures_of_its_own() {
    let runtime = multi_thread();
    let tasks: Vec<_> = (1..=16)
        .map(|n| runtime.spawn(measure_async(wander(100, n * 10))))
        .collect();
    for (n, task) in (1..).zip(tasks) {
        let (blocks, usage) = runtime.block_on(task).expect("it ends");
        assert_eq!(live(&usage), kept(100, n * 10));
        assert_eq!(usage.total_blocks, 101);
        drop(blocks);
    }
}

/// It allocates on each of two threads, which take turns to poll it.
#[test]
fn a_measured_future_moves_between_threads() {
    fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
        let mut context = Context::from_waker(Waker::noop());
        future.as_mut().poll(&mut context)
    }
    let mut future = Box::pin(measure_async(wander(10, 100)));
    let (blocks, usage) = loop {
        if let Poll::Ready(measured) = poll(&mut future) {
            break measured;
        }
        let elsewhere = thread::scope(|threads| {
            let thread = threads.spawn(|| poll(&mut future));
            thread.join().expect("nothing in it panics")
        });
        if let Poll::Ready(measured) = elsewhere {
            break measured;
        }
    };
    assert_eq!(live(&usage), kept(10, 100));
    drop(blocks);
}

/// Two in one task, which are polled in turns, inside a measured one.
#[test]
fn measured_futures_nest_and_stand_side_by_side() {
    let both = async {
        let mut one = pin!(measure_async(wander(10, 100)));
        let mut other = pin!(measure_async(wander(20, 50)));
        let (mut left, mut right) = (None, None);
        poll_fn(|context| {
            for (measured, ended) in [(&mut one, &mut left), (&mut other, &mut right)] {
                if ended.is_none()
                    && let Poll::Ready(value) = measured.as_mut().poll(context)
                {
                    *ended = Some(value);
                }
            }
            if left.is_some() && right.is_some() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        (left.expect("it ended"), right.expect("it ended"))
    };
    let runtime = current_thread();
    let ((one, other), usage) = runtime.block_on(measure_async(both));
    let (expected, others) = (kept(10, 100), kept(20, 50));
    assert_eq!(live(&one.1), expected);
    assert_eq!(live(&other.1), others);
    assert_eq!(live(&usage), (expected.0 + others.0, expected.1 + others.1));
    drop((one, other));
}

/// What the future itself held is gone when its usage is read.
#[test]
fn a_measured_future_is_dropped_before_it_is_counted() {
    struct Ready(Vec<u8>);
    impl Future for Ready {
        type Output = usize;
        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<usize> {
            self.0 = vec![0; 700];
            Poll::Ready(self.0.len())
        }
    }
    let runtime = current_thread();
    let (length, usage) = runtime.block_on(measure_async(Ready(Vec::new())));
    assert_eq!((length, usage.live_bytes, usage.peak_bytes), (700, 0, 700));
    // As one that is run to its end inside of `measure` counts.
    let (_, same) = measure(|| {
        let mut ready = Ready(Vec::new());
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(&mut ready).poll(&mut context).is_ready()
    });
    assert_eq!(usage, same);
}

#[test]
fn a_runtime_that_is_built_inside_belongs_to_the_scope() {
    // The first use of tokio's own statics.
    drop(multi_thread());
    let scope = Scope::enter("runtime");
    let runtime = multi_thread();
    let kept = runtime.block_on(async {
        let task = tokio::spawn(wander(50, 1_000));
        task.await.expect("it ends")
    });
    assert!(scope.usage().live_bytes > 50_000);
    drop(kept);
    drop(runtime);
    assert_eq!(live(&scope.usage()), (0, 0));
}

#[test]
fn blocking_work_is_brought_in() {
    let runtime = current_thread();
    let scope = Scope::enter("blocking");
    let handle = scope.handle();
    let block = runtime.block_on(async move {
        let work = move || handle.in_scope(|| vec![0_u8; 7_777]);
        tokio::task::spawn_blocking(work).await.expect("it ends")
    });
    assert!(scope.usage().live_bytes >= 7_777);
    drop(block);
}

#[test]
fn a_cancelled_task_frees_what_it_held() {
    let runtime = multi_thread();
    let scope = Scope::enter("cancelled").handle();
    let (started, has_started) = oneshot::channel();
    let task = async move {
        let _held = vec![0_u8; 12_345];
        started.send(()).expect("somebody listens");
        std::future::pending::<()>().await;
    };
    let task = runtime.spawn(task.in_scope(&scope));
    runtime.block_on(has_started).expect("it started");
    assert_eq!(live(&scope.usage()), (12_345, 1));
    task.abort();
    assert!(
        runtime
            .block_on(task)
            .expect_err("it was aborted")
            .is_cancelled()
    );
    assert_eq!(live(&scope.usage()), (0, 0));
}

#[test]
fn what_one_task_made_another_may_free() {
    let runtime = multi_thread();
    let (maker, taker) = (
        Scope::enter("maker").handle(),
        Scope::enter("taker").handle(),
    );
    let made = runtime.block_on(runtime.spawn(wander(10, 100).in_scope(&maker)));
    let made = made.expect("it ends");
    assert_eq!(maker.usage().live_blocks, 11);
    let freed = runtime.spawn(async move { drop(made) }.in_scope(&taker));
    runtime.block_on(freed).expect("it ends");
    assert_eq!(live(&maker.usage()), (0, 0));
    assert_eq!(
        (taker.usage().total_blocks, taker.usage().freed_blocks),
        (0, 0)
    );
}

#[test]
fn the_drop_of_a_future_stands_in_its_scope() {
    /// Leaves a block behind when it is dropped.
    struct Leaver(Arc<std::sync::Mutex<Vec<u8>>>);
    impl Drop for Leaver {
        fn drop(&mut self) {
            *self.0.lock().expect("nobody panics") = vec![0; 555];
        }
    }
    let left = Arc::default();
    let leaver = Leaver(Arc::clone(&left));
    let scope = Scope::enter("dropped").handle();
    let future = async move {
        std::future::pending::<()>().await;
        drop(leaver);
    };
    drop(future.in_scope(&scope));
    assert_eq!(live(&scope.usage()), (555, 1));
}

#[test]
fn a_join_set_of_tasks_that_run_at_once() {
    let runtime = multi_thread();
    runtime.block_on(async {
        let barrier = Arc::new(Barrier::new(8));
        let scopes: Vec<_> = (0..8).map(|_| Scope::enter("joined").handle()).collect();
        let mut tasks = JoinSet::new();
        for (n, scope) in scopes.iter().enumerate() {
            let barrier = Arc::clone(&barrier);
            let task = async move {
                let kept = vec![0_u8; 1_000 + n];
                barrier.wait().await;
                kept
            };
            tasks.spawn(task.in_scope(scope));
        }
        let kept = tasks.join_all().await;
        for (n, scope) in scopes.iter().enumerate() {
            assert!(scope.usage().live_bytes >= 1_000 + n as u64);
        }
        drop(kept);
        for scope in &scopes {
            assert_eq!(scope.usage().live_bytes, 0);
        }
    });
}

#[test]
fn an_async_scenario_is_judged_like_any_other() {
    let scenario = Scenario::new("async")
        .steps(1_000)
        .growth_ceiling(ByteSize::kib(4));
    let sound = scenario.run_async(
        async || tokio::time::pause(),
        async |(), i| {
            tokio::time::sleep(std::time::Duration::from_secs(i % 7)).await;
            tokio::spawn(async move { drop(i.to_string()) })
                .await
                .expect("it ends");
        },
    );
    sound.assert();
    assert_eq!(sound.residue_bytes(), 0);
    let leaky = scenario.variant("leaky").run_async(
        async || Vec::new(),
        async |kept, i| {
            kept.push(
                tokio::spawn(async move { i.to_string() })
                    .await
                    .expect("it ends"),
            );
        },
    );
    assert!(leaky.verdict().is_growing());
}

/// Tasks that never end are the runtime's, and no part of the state.
#[test]
fn what_the_runtime_holds_is_not_the_states() {
    highwater_tests::in_its_own_process!();
    let scenario = Scenario::new("tasks that wait").steps(50);
    let report = scenario.run_async(
        async || (),
        async |(), i| {
            let wait = async move {
                let _kept = Box::new(i);
                std::future::pending::<()>().await;
            };
            drop(tokio::spawn(wait));
        },
    );
    let diagnosis = report.diagnosis().expect("it grows, on Linux");
    let mut sites = diagnosis.sites().iter();
    let grows = sites.find(|site| site.growth_blocks() >= 50);
    let holders = grows.and_then(highwater::Site::holders).unwrap_or_default();
    let root = holders.first().and_then(|holder| holder.path().first());
    let root = root.map(String::as_str);
    assert_eq!(root, Some("the scenario's own runtime"), "{diagnosis}");
}

/// Spawns work that nobody awaits, in steps that never have to wait.
fn spawning(name: &str, keeps: bool) -> highwater::Report {
    let scenario = Scenario::new(name).steps(200);
    scenario.run_async(
        async || Arc::new(Mutex::new(Vec::new())),
        async move |kept, i| {
            let kept = Arc::clone(kept);
            tokio::spawn(async move {
                let block = Box::new(i);
                if keeps {
                    kept.lock().expect("nobody panics with it").push(block);
                }
            });
        },
    )
}

#[test]
fn what_a_step_spawns_comes_to_run() {
    let report = spawning("spawning", false);
    assert!(report.verdict().is_bounded(), "{report}");
    assert_eq!(report.growth_bytes(), 0, "{report}");
    let report = spawning("spawning-leak", true);
    assert!(report.verdict().is_growing(), "{report}");
    // A chain in which each link spawns the next comes to its end, too.
    let report = Scenario::new("chain")
        .steps(64)
        .run_async(async || (), async |(), _| chain(100));
    assert!(report.verdict().is_bounded(), "{report}");
}

fn chain(links: u32) {
    if links > 0 {
        tokio::spawn(async move {
            give_way().await;
            chain(links - 1);
        });
    }
}

/// A task that never rests does not keep a step from its end.
#[test]
fn a_task_that_never_rests() {
    let restless = async || loop {
        give_way().await;
    };
    let setup = async move || {
        tokio::spawn(restless());
    };
    let report = Scenario::new("restless")
        .steps(32)
        .step_budget(32)
        .run_async(setup, async |(), _| ());
    assert_eq!(report.steps(), 32, "{report}");
}

#[highwater::test(steps = 100, growth = "0 B", tasks = 0)]
async fn an_async_function_is_a_test(i: u64) {
    give_way().await;
    assert_eq!(i.to_string().len(), i.to_string().len());
}

#[highwater::test(steps = 100)]
#[should_panic(expected = "step 3 failed: \"odd\"")]
async fn an_async_function_may_fail(i: u64) -> Result<(), &'static str> {
    give_way().await;
    if i == 3 { Err("odd") } else { Ok(()) }
}

/// A step that allocates nothing has a runtime that allocates nothing either.
#[test]
fn steps_of_an_async_scenario_need_not_allocate() {
    let report = Scenario::new("still")
        .steps(100)
        .step_blocks_ceiling(0)
        .step_bytes_ceiling(ByteSize::b(0))
        .run_async(
            async || 0,
            async |sum: &mut u64, i| {
                *sum += std::future::ready(i).await;
            },
        );
    report.assert();
}
