//! Paths, by their text alone: what they lead to need not be there.

use std::path::{Component, Path, PathBuf};

/// `a/../b` as `b`: what a manifest says of its sources may lead up and down again.
#[doc(hidden)]
pub fn without_detours(file: &Path) -> PathBuf {
    let mut direct = PathBuf::new();
    for part in file.components() {
        match part {
            Component::ParentDir => {
                direct.pop();
            }
            part => direct.push(part),
        }
    }
    direct
}

#[cfg(test)]
mod tests {
    use super::without_detours;
    use std::path::Path;

    #[test]
    fn paths_lead_straight() {
        let detour = Path::new("/home/me/cases/one/../driver.rs");
        assert_eq!(
            without_detours(detour),
            Path::new("/home/me/cases/driver.rs")
        );
    }
}
