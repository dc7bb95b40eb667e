//! The same addresses in every run, for everything that this process starts.
//!
//! Memory may depend on addresses: the order of a map that is keyed by them is an example.

use std::io::{self, Write as _};

/// Asks for them. Where that is refused, as in some containers, it says so and goes on.
pub(crate) fn fix() {
    if let Err(refusal) = without_randomisation() {
        let _ = writeln!(
            io::stderr(),
            "highwater: the system refuses to start programs at the same addresses each time \
             ({refusal}); a scenario whose memory depends on addresses may be unsteady"
        );
    }
}

#[cfg(target_os = "linux")]
fn without_randomisation() -> nix::Result<()> {
    use nix::sys::personality::{self, Persona};
    let now = personality::get()?;
    if !now.contains(Persona::ADDR_NO_RANDOMIZE) {
        personality::set(now | Persona::ADDR_NO_RANDOMIZE)?;
    }
    Ok(())
}

/// Other systems have no such request.
#[cfg(not(target_os = "linux"))]
fn without_randomisation() -> io::Result<()> {
    Ok(())
}
