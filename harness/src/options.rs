//! What the environment asks of scenarios: `HIGHWATER_SITES` says when call stacks are taken,
//! and `HIGHWATER_STEPS` how many steps a run has.

/// When call stacks are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallStacks {
    /// In the first run where that costs little, otherwise on failure.
    Auto,
    Always,
    Replay,
    OnFailure,
    Never,
}

/// What `HIGHWATER_SITES` asks for.
///
/// # Panics
/// If it asks for something else.
#[track_caller]
pub(crate) fn call_stacks() -> CallStacks {
    let asked = std::env::var_os("HIGHWATER_SITES").unwrap_or_default();
    match asked.to_str() {
        Some("always") => CallStacks::Always,
        Some("replay") => CallStacks::Replay,
        Some("" | "auto") => CallStacks::Auto,
        Some("on-failure") => CallStacks::OnFailure,
        Some("never") => CallStacks::Never,
        _ => panic!(
            "highwater: HIGHWATER_SITES is {:?}; it may be `auto`, `always`, \
             `replay`, `on-failure` or `never`",
            asked.to_string_lossy()
        ),
    }
}

/// Whether call stacks can be taken, and may be.
#[track_caller]
pub(crate) fn allow_call_stacks() -> bool {
    cfg!(highwater_stacks) && call_stacks() != CallStacks::Never
}

/// The steps that `HIGHWATER_STEPS` asks for, whatever the scenario says.
///
/// # Panics
/// If it asks for what is no number.
#[track_caller]
pub(crate) fn steps() -> Option<u64> {
    let asked = std::env::var_os("HIGHWATER_STEPS").filter(|asked| !asked.is_empty())?;
    match asked.to_str().map(str::parse) {
        Some(Ok(steps)) => Some(steps),
        _ => panic!(
            "highwater: HIGHWATER_STEPS is {:?}; it may be a number of steps, such as 10000",
            asked.to_string_lossy()
        ),
    }
}
