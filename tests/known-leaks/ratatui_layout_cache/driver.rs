//! A terminal program lays out a bar that has done one part of all its work, with a
//! status line below. The leaky release keeps every layout that it ever computed.

#![forbid(unsafe_code)]

use ratatui::layout::{Constraint, Direction, Layout, Rect};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const ALL: u32 = 100_000;

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(300)
        .run(
            || Rect::new(0, 0, 80, 24),
            |screen: &mut Rect, done| {
                let lines = Layout::default()
                    .direction(Direction::Vertical)
                    .constraints([Constraint::Length(1), Constraint::Length(1)])
                    .split(*screen);
                let done = u32::try_from(done).expect("it is not more than all");
                let bar = Layout::default()
                    .direction(Direction::Horizontal)
                    .constraints([Constraint::Ratio(done, ALL), Constraint::Min(0)])
                    .split(lines[0]);
                assert_eq!(bar[0].width + bar[1].width, screen.width);
            },
        );
    println!("{}", report.to_json());
}
