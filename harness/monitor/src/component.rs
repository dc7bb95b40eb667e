//! [`Component`]: a named part of a service, whose memory is judged by itself.

use highwater::{Scope, ScopeHandle};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Every component that was entered and is entered still, owns blocks, or has a handle.
static COMPONENTS: Mutex<Vec<Entered>> = Mutex::new(Vec::new());

/// So many components are known that ended, hold nothing and gave handles. Nobody says when the
/// last handle is gone.
const MOST_IDLE: usize = 64;

struct Entered {
    name: String,
    scope: ScopeHandle,
    has_ended: bool,
    has_handle: bool,
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
/// Every sample of this process has the components, and every monitor judges them. A component
/// whose guards were dropped is forgotten once it holds nothing, and its alerts are over. Those
/// that gave [handles](Self::handle) are forgotten when there are more than 64 of them. Without
/// highwater's allocator a component has no figures.
///
/// Each name that is known costs each monitor about 75 kB, so name the parts of the service, not
/// its requests or users.
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
            has_handle: false,
            number,
        });
        Self {
            scope: Some(scope),
            number,
        }
    }

    /// A handle with which other threads and futures work in the component; none without
    /// highwater's allocator. It is of use after the guard was dropped, too.
    pub fn handle(&self) -> Option<ScopeHandle> {
        let scope = self.scope.as_ref()?;
        let mut components = lock();
        let is_own = |entered: &&mut Entered| entered.number == self.number;
        if let Some(own) = components.iter_mut().find(is_own) {
            own.has_handle = true;
        }
        Some(scope.handle())
    }
}

impl Drop for Component {
    fn drop(&mut self) {
        self.scope = None;
        let mut components = lock();
        components.retain_mut(|entered| {
            entered.has_ended |= entered.number == self.number;
            entered.is_there()
        });
        let too_many = components
            .iter()
            .filter(|entered| entered.is_idle())
            .count();
        let mut too_many = too_many.saturating_sub(MOST_IDLE);
        // The oldest go first.
        components.retain(|entered| {
            let goes = too_many > 0 && entered.is_idle();
            too_many -= usize::from(goes);
            !goes
        });
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl Entered {
    /// Whether it is entered still, owns blocks, or may again.
    fn is_there(&self) -> bool {
        !self.is_idle() || self.has_handle
    }

    fn is_idle(&self) -> bool {
        self.has_ended && self.scope.usage().live_blocks == 0
    }
}

/// What each component holds, by name.
pub(crate) fn all() -> Vec<ComponentHeap> {
    let components = lock();
    let mut found: Vec<ComponentHeap> = Vec::new();
    for entered in components.iter().filter(|entered| entered.is_there()) {
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
    }
    found
}

fn next_number(components: &[Entered]) -> u64 {
    components.last().map_or(0, |last| last.number) + 1
}

fn lock() -> MutexGuard<'static, Vec<Entered>> {
    COMPONENTS.lock().unwrap_or_else(PoisonError::into_inner)
}
