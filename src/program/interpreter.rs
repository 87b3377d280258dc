//! Reading, from the first bytes of a program, who is to run it: a script's `#!` line, an ELF file's PT_INTERP.

use std::fs::File;
use std::os::unix::fs::FileExt;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Interpreter {
    /// Of a script, as its first line names it.
    Script(String),
    /// Of an ELF file: the loader in its PT_INTERP.
    Loader(String),
}

/// As much of a script's first line as the kernel reads (BINPRM_BUF_SIZE).
const LINE: usize = 256;
/// The kernel takes no longer path.
const PATH: u64 = 4096;

/// None where the file cannot be read, or names nobody.
pub(super) fn read_interpreter(file: &File) -> Option<Interpreter> {
    let mut head = [0; LINE];
    let read = file.read_at(&mut head, 0).ok()?;
    let head = head.get(..read)?;
    match head.strip_prefix(b"#!") {
        Some(line) => Some(Interpreter::Script(script_interpreter(line))),
        None => loader(file, head).map(Interpreter::Loader),
    }
}

/// The first word of what follows `#!`.
fn script_interpreter(line: &[u8]) -> String {
    let line = line.split(|byte| *byte == b'\n' || *byte == 0).next().unwrap_or_default();
    let word = line.split(|byte| *byte == b' ' || *byte == b'\t').find(|word| !word.is_empty());
    String::from_utf8_lossy(word.unwrap_or_default()).into_owned()
}

/// The loader of a 64-bit little-endian ELF file (elf(5)).
fn loader(file: &File, head: &[u8]) -> Option<String> {
    const PT_INTERP: u64 = 3;
    const CLASS64_LITTLE_ENDIAN: &[u8] = b"\x7fELF\x02\x01";
    if !head.starts_with(CLASS64_LITTLE_ENDIAN) {
        return None;
    }
    let table = number(head, 32, 8)?;
    let entry_size = number(head, 54, 2)?;
    let entries = number(head, 56, 2)?;
    for index in 0..entries {
        let mut entry = [0; 56];
        file.read_exact_at(&mut entry, table.checked_add(index * entry_size)?).ok()?;
        if number(&entry, 0, 4)? != PT_INTERP {
            continue;
        }
        let (offset, size) = (number(&entry, 8, 8)?, number(&entry, 32, 8)?.min(PATH));
        let mut path = vec![0; size as usize];
        file.read_exact_at(&mut path, offset).ok()?;
        let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
        return Some(String::from_utf8_lossy(path).into_owned());
    }
    None
}

/// The little-endian number of `size` bytes at `offset`.
fn number(bytes: &[u8], offset: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(offset..offset + size)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_of_the_line_is_the_interpreter() {
        for (line, interpreter) in [
            ("/bin/sh\necho", "/bin/sh"),
            ("  \t/usr/bin/env python3 -u\n", "/usr/bin/env"),
            ("/bin/sh", "/bin/sh"),
            ("\n", ""),
        ] {
            assert_eq!(script_interpreter(line.as_bytes()), interpreter, "{line:?}");
        }
    }

    #[test]
    fn a_dynamic_program_names_its_loader() {
        let own = File::open("/proc/self/exe").unwrap();
        let Some(Interpreter::Loader(loader)) = read_interpreter(&own) else { panic!("no loader") };
        assert!(std::path::Path::new(&loader).exists(), "{loader}");
    }

    #[test]
    fn other_files_name_nobody() {
        assert_eq!(read_interpreter(&File::open("/etc/passwd").unwrap()), None);
        assert_eq!(read_interpreter(&File::open("/dev/null").unwrap()), None);
    }
}
