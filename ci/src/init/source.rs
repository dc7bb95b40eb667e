//! Where the tool was installed from, and so where the library comes from.

use toml_edit::{Array, InlineTable, Value};

/// The place of the library that belongs to this tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The registry.
    Registry {
        /// The tool's version, which is the library's.
        version: String,
    },
    /// A checkout.
    Path {
        /// The library's directory.
        harness: String,
    },
    /// A git repository.
    Git {
        /// Its address.
        url: String,
        /// The commit.
        revision: String,
    },
}

impl Source {
    /// What the build script noted.
    pub fn of_this_tool() -> Self {
        let git = option_env!("HIGHWATER_GIT").zip(option_env!("HIGHWATER_REVISION"));
        if let Some((url, revision)) = git {
            return Self::Git {
                url: url.to_owned(),
                revision: revision.to_owned(),
            };
        }
        match option_env!("HIGHWATER_HARNESS") {
            Some(harness) => Self::Path {
                harness: harness.to_owned(),
            },
            None => Self::Registry {
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
        }
    }

    /// The dependency, as it stands in a manifest.
    pub(super) fn dependency(&self, features: &[&str]) -> Value {
        let mut table = InlineTable::new();
        match self {
            Self::Registry { version } if features.is_empty() => return version.into(),
            Self::Registry { version } => {
                table.insert("version", version.into());
            }
            Self::Path { harness } => {
                table.insert("path", harness.into());
            }
            Self::Git { url, revision } => {
                table.insert("git", url.into());
                table.insert("rev", revision.into());
            }
        }
        with_features(table, features)
    }
}

/// The dependency that a workspace has once for all its members.
pub(super) fn of_workspace(features: &[&str]) -> Value {
    let mut table = InlineTable::new();
    table.insert("workspace", true.into());
    with_features(table, features)
}

fn with_features(mut table: InlineTable, features: &[&str]) -> Value {
    if !features.is_empty() {
        table.insert(
            "features",
            features.iter().copied().collect::<Array>().into(),
        );
    }
    table.into()
}
