//! Reading, from the first bytes of a program, who is to run it: a script's `#!` line, an ELF file's PT_INTERP.

use std::fs::File;
use std::os::unix::fs::FileExt;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Interpreter {
    /// Of a script, as its first line names it.
    Script(ScriptLine),
    /// Of an ELF file: the loader in its PT_INTERP.
    Loader(String),
}

/// A script's first line; nothing in it where the kernel would say ENOEXEC.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ScriptLine {
    pub(super) name: Vec<u8>,
    pub(super) argument: Option<Vec<u8>>,
}

impl ScriptLine {
    /// For messages.
    pub(super) fn interpreter(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }
}

/// As much of a script's first line as the kernel reads (BINPRM_BUF_SIZE).
const LINE: usize = 256;
/// The kernel takes no longer path.
const PATH: u64 = 4096;

/// None where the file cannot be read, or names nobody.
pub(super) fn read_interpreter(file: &File) -> Option<Interpreter> {
    let mut head = [0; LINE];
    let read = file.read_at(&mut head, 0).ok()?;
    match head.strip_prefix(b"#!") {
        Some(line) => Some(Interpreter::Script(parse(line).unwrap_or_default())),
        None => loader(file, head.get(..read)?).map(Interpreter::Loader),
    }
}

/// Whether the file begins as an ELF file does.
pub(super) fn is_elf(file: &File) -> bool {
    let mut magic = [0; 4];
    file.read_exact_at(&mut magic, 0).is_ok() && magic == *b"\x7fELF"
}

/// What follows `#!` in the first 256 bytes, as fs/binfmt_script.c reads it: an interpreter and one argument, which
/// goes to the end of the line, blanks around it cut. None where the line does not end, and the name may not be whole.
fn parse(head: &[u8]) -> Option<ScriptLine> {
    let is_blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let line = match head.iter().position(|byte| *byte == b'\n') {
        Some(end) => head.get(..end)?,
        None => {
            let start = head.iter().position(|byte| !is_blank(byte))?;
            let rest = head.get(start..)?;
            rest.iter().any(|byte| is_blank(byte) || *byte == 0).then_some(head)?
        }
    };
    let start = line.iter().position(|byte| !is_blank(byte))?;
    let line = line.get(start..)?;
    let end = line.iter().position(|byte| is_blank(byte) || *byte == 0).unwrap_or(line.len());
    let (name, rest) = line.split_at_checked(end)?;
    if name.is_empty() {
        return None;
    }
    let argument = if rest.first().is_none_or(|byte| *byte == 0) { None } else { argument(rest, is_blank) };
    Some(ScriptLine { name: name.to_vec(), argument })
}

fn argument(rest: &[u8], is_blank: impl Fn(&u8) -> bool) -> Option<Vec<u8>> {
    let text = rest.split(|byte| *byte == 0).next()?;
    let start = text.iter().position(|byte| !is_blank(byte))?;
    let end = text.iter().rposition(|byte| !is_blank(byte))?;
    Some(text.get(start..=end)?.to_vec())
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
    fn the_line_is_read_as_the_kernel_reads_it() {
        let long = format!("/{}", "a".repeat(300));
        let long_argument = format!("/bin/sh {}", "b".repeat(300));
        for (line, expected) in [
            ("/bin/sh\necho", Some(("/bin/sh", None))),
            ("  \t/usr/bin/env python3 -u  \t\n", Some(("/usr/bin/env", Some("python3 -u")))),
            ("/bin/sh", Some(("/bin/sh", None))),
            ("/bin/sh -e", Some(("/bin/sh", Some("-e")))),
            ("/bin/sh\t-e -x\0more\n", Some(("/bin/sh", Some("-e -x")))),
            ("sh\n", Some(("sh", None))),
            ("\n", None),
            ("   \n", None),
            ("", None),
            (long.as_str(), None),
            (long_argument.as_str(), Some(("/bin/sh", Some(&long_argument[8..LINE - 2])))),
        ] {
            // As it lies in the kernel's buffer: cut, or filled with zeros.
            let mut head = [0; LINE - 2];
            let size = line.len().min(head.len());
            head[..size].copy_from_slice(&line.as_bytes()[..size]);
            let expected = expected.map(|(name, argument): (&str, Option<&str>)| ScriptLine {
                name: name.into(),
                argument: argument.map(Into::into),
            });
            assert_eq!(parse(&head), expected, "{line:?}");
        }
    }

    #[test]
    fn a_dynamic_program_names_its_loader() {
        let own = File::open("/proc/self/exe").unwrap();
        let Some(Interpreter::Loader(loader)) = read_interpreter(&own) else { panic!("no loader") };
        assert!(std::path::Path::new(&loader).exists(), "{loader}");
        assert!(is_elf(&own));
    }

    #[test]
    fn other_files_name_nobody() {
        for path in ["/etc/passwd", "/dev/null"] {
            let file = File::open(path).unwrap();
            assert_eq!(read_interpreter(&file), None);
            assert!(!is_elf(&file));
        }
    }
}
