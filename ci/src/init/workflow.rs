//! The workflow for GitHub Actions: the one to copy, fitted to the project.

use super::{Plan, Source};
use crate::base;
use std::fs;
use std::path::Path;

const TEMPLATE: &str = include_str!("../../workflows/github/memory.yml");
const INSTALL: &str = "cargo install --locked \"cargo-highwater@$HIGHWATER\"";
const VERSION: &str = "env:\n  HIGHWATER: 0.1.0\n\n";

/// Adds it at the root of the repository, unless some workflow there runs the tool.
pub(super) fn add(plan: &mut Plan, root: &Path, source: &Source) {
    let below = base::path_in_repository(root).unwrap_or_default();
    let repository = base::repository(root).unwrap_or_else(|| root.to_owned());
    let workflows = repository.join(".github/workflows");
    let entries = fs::read_dir(&workflows).into_iter().flatten().flatten();
    let mut texts = entries.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    if texts.any(|text| text.contains("cargo highwater")) {
        return;
    }
    let path = workflows.join("memory.yml");
    if path.exists() {
        plan.notes.push(format!(
            "{} is there and is not about highwater, so no workflow is written",
            path.display()
        ));
        return;
    }
    plan.change(&path, "", text(source, &below));
    if let Source::Path { harness } = source {
        plan.notes.push(format!(
            "This tool was built from {harness}, which no other machine has. The workflow installs \
             it from the registry; change that step and the dependency if you need another version."
        ));
    }
}

/// `below` is the workspace's place in the repository, with a slash at the end.
fn text(source: &Source, below: &str) -> String {
    let mut text = TEMPLATE.replace(" Copy to .github/workflows/.", "");
    match source {
        Source::Registry { version } => {
            text = text.replace(VERSION, &VERSION.replace("0.1.0", version));
        }
        Source::Git { url, revision } => {
            let install = format!("cargo install --locked --git {url} --rev {revision} ");
            text = text
                .replace(VERSION, "")
                .replace(INSTALL, &(install + "cargo-highwater"));
        }
        Source::Path { .. } => {}
    }
    if below.is_empty() {
        return text;
    }
    let directory = below.trim_end_matches('/');
    text.replace(
        "\njobs:\n",
        &format!("\ndefaults:\n  run:\n    working-directory: {directory}\n\njobs:\n"),
    )
    .replace(
        "\n            target\n",
        &format!("\n            {below}target\n"),
    )
    .replace("path: memory\n", &format!("path: {below}memory\n"))
}

#[cfg(test)]
mod tests {
    use super::{INSTALL, Source, VERSION, text};

    #[test]
    fn it_installs_the_tool_that_wrote_it() {
        let version = "9.8.7".to_owned();
        let of_registry = text(&Source::Registry { version }, "");
        assert!(of_registry.contains("  HIGHWATER: 9.8.7\n"));
        assert!(of_registry.contains(INSTALL));
        let of_git = Source::Git {
            url: "https://example.org/h".to_owned(),
            revision: "abc".to_owned(),
        };
        let of_git = text(&of_git, "");
        let install =
            "cargo install --locked --git https://example.org/h --rev abc cargo-highwater";
        assert!(of_git.contains(install) && !of_git.contains(VERSION));
    }

    #[test]
    fn it_works_where_the_workspace_is() {
        let version = "0.1.0".to_owned();
        let text = text(&Source::Registry { version }, "engine/");
        for part in [
            "    working-directory: engine\n",
            "            engine/target\n",
            "          path: engine/memory\n",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }
}
