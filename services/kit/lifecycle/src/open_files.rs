//! The limit of open files.
//!
//! Many systems start a process with a soft limit of 1,024 for the sake of programs that still use `select`,
//! and leave it to the others to raise it to the hard limit.

use tracing::warn;

/// What is assumed where the limit can't be read.
const USUAL: u64 = 1_024;

/// Raises the soft limit of open files to the hard limit, and returns it. Where the system refuses, the limit
/// stays as it is.
pub fn raise() -> u64 {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => limit,
        Err(error) => {
            warn!(%error, "limit of open files not raised");
            rlimit::Resource::NOFILE.get_soft().unwrap_or(USUAL)
        }
    }
}

#[cfg(test)]
mod tests {
    use rlimit::Resource;

    use super::*;

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_limit() {
        let hard = Resource::NOFILE.get_hard().expect("a limit");
        Resource::NOFILE.set(hard / 2, hard).expect("sets");
        assert_eq!(raise(), hard);
        assert_eq!(Resource::NOFILE.get_soft().expect("a limit"), hard);
    }
}
