//! [`Component`]: a named part of a service, whose memory is judged by itself.

use highwater::{Scope, ScopeHandle};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Every component that was entered and is entered still, or owns blocks.
static COMPONENTS: Mutex<Vec<Entered>> = Mutex::new(Vec::new());

struct Entered {
    name: String,
    scope: ScopeHandle,
    has_ended: bool,
    number: u64,
}

/// A guard: what this thread allocates until the guard is dropped belongs to the component, and so
/// does what threads allocate that are started meanwhile (Linux with glibc).
///
/// A component is a [`Scope`] that lives long: enter it once for each thread that works for it,
/// not for each request. Several guards with one name are one component. Its live bytes count
/// until they are freed, also after the guard was dropped. A component inside another counts
/// towards both.
///
/// Every sample of this process has the components, and every monitor judges them. Without
/// highwater's allocator a component has no figures.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// use highwater_monitor::{Component, Monitor};
///
/// let book = Component::enter("order book");
/// let orders = vec![0_u8; 5_000];
/// drop(book);
/// let monitor = Monitor::builder().build();
/// monitor.sample();
/// let sample = monitor.status().sample.expect("one was taken");
/// assert_eq!(sample.components[0].name, "order book");
/// assert!(sample.components[0].live_bytes >= 5_000);
/// # drop(orders);
/// ```
#[must_use = "the component is left when the guard is dropped"]
pub struct Component {
    scope: Option<Scope>,
    number: u64,
}

/// What a component holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ComponentHeap {
    /// The name that was given to [`Component::enter`].
    pub name: String,
    /// Live bytes.
    pub live_bytes: u64,
    /// Live blocks.
    pub live_blocks: u64,
}

impl Component {
    /// Enters the component of this name.
    ///
    /// # Panics
    /// If the thread is ending, or if 1,048,576 scopes are open or own blocks that were never
    /// freed.
    #[track_caller]
    pub fn enter(name: &str) -> Self {
        if highwater::__private::live_in_process().is_none() {
            return Self {
                scope: None,
                number: 0,
            };
        }
        // The list and the name are not the component's.
        let mut components = lock();
        let (name, number) = (name.to_owned(), next_number(&components));
        components.reserve(1);
        let scope = Scope::enter(&name);
        components.push(Entered {
            name,
            scope: scope.handle(),
            has_ended: false,
            number,
        });
        Self {
            scope: Some(scope),
            number,
        }
    }

    /// A handle with which other threads and futures work in the component; none without
    /// highwater's allocator.
    pub fn handle(&self) -> Option<ScopeHandle> {
        self.scope.as_ref().map(Scope::handle)
    }
}

impl Drop for Component {
    fn drop(&mut self) {
        self.scope = None;
        let mut components = lock();
        let own = components
            .iter_mut()
            .find(|entered| entered.number == self.number);
        if let Some(entered) = own {
            entered.has_ended = true;
        }
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// What each component holds, by name. Those that ended and hold nothing are forgotten.
pub(crate) fn all() -> Vec<ComponentHeap> {
    let mut components = lock();
    let mut found: Vec<ComponentHeap> = Vec::new();
    components.retain(|entered| {
        let usage = entered.scope.usage();
        match found.iter_mut().find(|heap| heap.name == entered.name) {
            Some(heap) => {
                heap.live_bytes += usage.live_bytes;
                heap.live_blocks += usage.live_blocks;
            }
            None => found.push(ComponentHeap {
                name: entered.name.clone(),
                live_bytes: usage.live_bytes,
                live_blocks: usage.live_blocks,
            }),
        }
        !entered.has_ended || usage.live_blocks > 0
    });
    found
}

fn next_number(components: &[Entered]) -> u64 {
    components.last().map_or(0, |last| last.number) + 1
}

fn lock() -> MutexGuard<'static, Vec<Entered>> {
    COMPONENTS.lock().unwrap_or_else(PoisonError::into_inner)
}
