#![doc = include_str!("../README.md")]

use std::path::PathBuf;

pub mod customerio;
pub mod kafka;

/// The folder for what is fetched once and kept between runs: `$AFTERSEND_CACHE`, else
/// `$XDG_CACHE_HOME/aftersend`, else `~/.cache/aftersend`, else a folder among the temporary files.
#[must_use]
pub fn cache_dir() -> PathBuf {
    cache_dir_in(|name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
}

fn cache_dir_in(variable: impl Fn(&str) -> Option<PathBuf>) -> PathBuf {
    variable("AFTERSEND_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("aftersend")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/aftersend")))
        .unwrap_or_else(|| std::env::temp_dir().join("aftersend"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_follows_the_most_specific_variable() {
        let all = |name: &str| Some(PathBuf::from(format!("/{name}")));
        let home_only = |name: &str| (name == "HOME").then(|| PathBuf::from("/HOME"));
        let none_but_own =
            |name: &str| (name != "AFTERSEND_CACHE").then(|| PathBuf::from(format!("/{name}")));

        assert_eq!(cache_dir_in(all), PathBuf::from("/AFTERSEND_CACHE"));
        assert_eq!(cache_dir_in(none_but_own), PathBuf::from("/XDG_CACHE_HOME/aftersend"));
        assert_eq!(cache_dir_in(home_only), PathBuf::from("/HOME/.cache/aftersend"));
        assert!(cache_dir_in(|_| None).ends_with("aftersend"));
    }
}
