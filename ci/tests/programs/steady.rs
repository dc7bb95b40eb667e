//! Scenarios of hash maps, threads and tokio, whose figures are the same in every run, and one
//! whose threads share work as it comes, so that they vary.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn churn(map: &mut HashMap<String, u64>, i: u64) {
    map.insert(format!("key {}", i * 7_919 % 5_000), i);
    map.remove(&format!("key {}", (i + 13) * 104_729 % 5_000));
}

#[highwater::test(steps = 2_000, state = HashMap::new())]
fn a_map(map: &mut HashMap<String, u64>, i: u64) {
    churn(map, i);
}

#[test]
fn a_plain_map() {
    highwater::Scenario::new("plain map").steps(2_000).run(HashMap::new, churn).assert();
}

type Shared = Arc<Mutex<HashMap<u64, String>>>;

fn on_threads(shared: &mut Shared, i: u64) {
    let start = |n| {
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            let local: HashMap<u64, String> = (0..20).map(|k| (k * n, k.to_string())).collect();
            let text = local.len().to_string();
            shared.lock().unwrap().insert((i * 4 + n) % 500, text);
        })
    };
    let threads: Vec<_> = (0..4).map(start).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[highwater::test(steps = 500, state = Arc::default())]
fn threads_of_a_step(shared: &mut Shared, i: u64) {
    on_threads(shared, i);
}

#[test]
fn threads_of_a_plain_step() {
    highwater::Scenario::new("plain threads").steps(500).run(Arc::default, on_threads).assert();
}

struct Pool {
    jobs: mpsc::Sender<u64>,
    done: mpsc::Receiver<usize>,
}

impl Pool {
    fn start() -> Self {
        let (jobs, given) = mpsc::channel::<u64>();
        let given = Arc::new(Mutex::new(given));
        let (tell, done) = mpsc::channel();
        for _ in 0..4 {
            let (given, tell) = (Arc::clone(&given), tell.clone());
            thread::spawn(move || {
                let mut seen: HashMap<u64, Vec<u8>> = HashMap::new();
                loop {
                    let job = given.lock().unwrap().recv();
                    let Ok(job) = job else { break };
                    seen.insert(job % 100, vec![0; 64]);
                    tell.send(seen.len()).unwrap();
                }
            });
        }
        Self { jobs, done }
    }
}

/// Which thread takes a job is up to the system.
#[highwater::test(steps = 2_000, state = Pool::start())]
fn a_pool(pool: &mut Pool, i: u64) {
    pool.jobs.send(i).unwrap();
    pool.done.recv().unwrap();
}

#[highwater::test(steps = 1_000, state = HashMap::new())]
async fn a_task(map: &mut HashMap<u64, String>, i: u64) {
    let text = tokio::spawn(async move {
        tokio::task::yield_now().await;
        i.to_string()
    });
    map.insert(i % 300, text.await.unwrap());
}

type Multi = (Runtime, HashMap<u64, String>);

fn multi() -> Multi {
    let runtime = Builder::new_multi_thread().worker_threads(2).build();
    (runtime.unwrap(), HashMap::new())
}

#[highwater::test(steps = 500, state = multi())]
fn a_runtime_of_threads((runtime, map): &mut Multi, i: u64) {
    let text = runtime.block_on(async move { tokio::spawn(async move { i.to_string() }).await });
    map.insert(i % 300, text.unwrap());
}
