//! Who may look into this process's memory, and write there: PR_GET_DUMPABLE.

use std::fs;

pub(crate) fn get() -> i32 {
    // SAFETY: it reads a number.
    unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0) }
}

/// 0 or 1.
pub(crate) fn set(dumpable: i32) {
    // SAFETY: it sets a number, and refuses what is none of the two.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, dumpable, 0, 0, 0) };
}

/// Whether the memory of a process that becomes somebody else is for root alone (fs.suid_dumpable, core(5)).
pub(crate) fn is_cleared_for_others() -> bool {
    clears(&fs::read("/proc/sys/fs/suid_dumpable").unwrap_or_default())
}

/// 0: for nobody; 2: for root. Whatever else it says, or that it cannot be read, is taken for 1: for the new user.
fn clears(setting: &[u8]) -> bool {
    matches!(setting.trim_ascii(), b"0" | b"2")
}

#[cfg(test)]
mod tests {
    use super::clears;

    #[test]
    fn only_what_is_known_to_be_safe_is_taken_for_safe() {
        let cases: [(&[u8], bool); 6] =
            [(b"0\n", true), (b"2\n", true), (b"1\n", false), (b"", false), (b"3", false), (b"20", false)];
        for (setting, expected) in cases {
            assert_eq!(clears(setting), expected, "{setting:?}");
        }
    }
}
