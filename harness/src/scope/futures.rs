//! Futures that carry their scope along, whichever thread polls them.

use crate::scope::{Scope, ScopeHandle, Usage};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Puts a future into a scope.
pub trait InScope: Future + Sized {
    /// The future, whose every poll, and whose drop, stands in `scope`: a
    /// [`Scope`](crate::Scope) or a [`ScopeHandle`].
    ///
    /// For tasks on a runtime whose threads were there before the scope, or that
    /// should be counted apart. What an executor allocates to hold a task belongs
    /// to the thread that spawns it.
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
    /// use highwater::{InScope, Scope};
    ///
    /// # async fn serve() {}
    /// # fn spawn(future: impl Future<Output = ()> + Send + 'static) {}
    /// let scope = Scope::enter("request");
    /// spawn(serve().in_scope(&scope));
    /// ```
    fn in_scope(self, scope: impl Into<ScopeHandle>) -> Scoped<Self> {
        Scoped {
            future: Some(self),
            scope: scope.into(),
        }
    }
}

impl<F: Future> InScope for F {}

pin_project! {
    /// A future that carries its scope along; made by [`InScope::in_scope`].
    #[must_use = "futures do nothing unless polled"]
    #[derive(Debug)]
    pub struct Scoped<F> {
        // None once it was dropped, which must happen in the scope.
        #[pin]
        future: Option<F>,
        scope: ScopeHandle,
    }

    impl<F> PinnedDrop for Scoped<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.scope.in_scope(|| this.future.set(None));
        }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        match this.future.as_pin_mut() {
            Some(future) => this.scope.in_scope(|| future.poll(context)),
            // Only its own drop takes the future away.
            None => Poll::Pending,
        }
    }
}

/// Runs `work` in a scope of its own and returns what it used, as
/// [`measure`](crate::measure) does, on whichever thread it is polled.
///
/// The scope is made at the first poll, inside the scope that is current then. It
/// does not count what was allocated before, such as the box of a boxed future,
/// and other tasks, even those that `work` spawns: put them in with
/// [`InScope`].
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// # async fn fetch() -> Vec<u8> { vec![0; 1_000] }
/// # async fn example() {
/// let (body, usage) = highwater::measure_async(async { fetch().await }).await;
/// assert_eq!(usage.live_bytes, 1_000);
/// # drop(body);
/// # }
/// # let mut example = std::pin::pin!(example());
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert!(example.as_mut().poll(&mut context).is_ready());
/// ```
///
/// # Panics
/// When it is polled, as [`Scope::enter`] does, and if `work` panics.
pub async fn measure_async<F: Future>(work: F) -> (F::Output, Usage) {
    // The guard must not live across an await, for it stays on its thread.
    let scope = Scope::enter("measure").handle();
    let value = work.in_scope(&scope).await;
    (value, scope.usage())
}
