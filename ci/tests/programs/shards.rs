//! What the scenarios of a suite on four machines run.

fn names(name: &str, kept: usize) {
    while std::env::var_os("LOST").is_some() {
        std::thread::park();
    }
    let scenario = highwater::Scenario::new(name).steps(100);
    scenario.run(Vec::new, |names, i| {
        names.push(i.to_string());
        names.truncate(kept);
    });
}
