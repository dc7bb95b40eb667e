//! A project that uses highwater in three lines.

#![forbid(unsafe_code)]

use std::collections::VecDeque;

/// Keeps the newest hundred prices.
pub fn remember(prices: &mut VecDeque<u64>, price: u64) {
    prices.push_back(price);
    if prices.len() > 100 {
        prices.pop_front();
    }
}

#[cfg(test)]
#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    thread_local! {
        static PRICES: RefCell<super::VecDeque<u64>> = RefCell::default();
    }

    #[highwater::test(steps = 10_000, growth = "4 KiB")]
    fn prices_are_bounded(i: u64) {
        PRICES.with(|prices| super::remember(&mut prices.borrow_mut(), i));
    }
}
