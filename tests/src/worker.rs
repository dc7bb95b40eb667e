//! A thread that does what it is told, as an actor or the only thread of a pool does.
//!
//! It waits on a lock of std's, which allocates nothing, and is done with a job before the
//! one who gave it goes on. So what a job costs is the job's box, and the same every time.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::Builder;

type Job = Box<dyn FnOnce() + Send>;

/// A thread that ends with the process.
pub struct Worker(Arc<Desk>);

struct Desk {
    job: Mutex<State>,
    changed: Condvar,
}

enum State {
    Idle,
    Told(Job),
    Busy,
    Done,
}

impl Worker {
    /// Starts it.
    ///
    /// # Panics
    /// If there is no thread to be had.
    pub fn start(name: &str) -> Self {
        let desk = Arc::new(Desk {
            job: Mutex::new(State::Idle),
            changed: Condvar::new(),
        });
        let own = Arc::clone(&desk);
        let thread = Builder::new().name(name.to_owned());
        drop(thread.spawn(move || own.work()).expect("a thread"));
        Self(desk)
    }

    /// Waits until the job is done, and everything of it is freed. One job at a time.
    pub fn does(&self, job: impl FnOnce() + Send + 'static) {
        let desk = &self.0;
        let mut state = desk.job.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State::Told(Box::new(job));
        desk.changed.notify_all();
        let is_busy = |state: &mut State| !matches!(state, State::Done);
        let state = desk.changed.wait_while(state, is_busy);
        *state.unwrap_or_else(PoisonError::into_inner) = State::Idle;
    }
}

impl Desk {
    fn work(&self) {
        loop {
            let state = self.job.lock().unwrap_or_else(PoisonError::into_inner);
            let is_idle = |state: &mut State| !matches!(state, State::Told(_));
            let state = self.changed.wait_while(state, is_idle);
            let mut state = state.unwrap_or_else(PoisonError::into_inner);
            let told = std::mem::replace(&mut *state, State::Busy);
            drop(state);
            if let State::Told(job) = told {
                job();
            }
            *self.job.lock().unwrap_or_else(PoisonError::into_inner) = State::Done;
            self.changed.notify_all();
        }
    }
}
