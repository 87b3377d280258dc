//! Reading, from the first bytes of a program, who is to run it: a script's `#!` line, an ELF file's PT_INTERP.

use std::fs::File;
use std::os::unix::fs::FileExt;
#[cfg(target_os = "linux")]
use std::path::Path;

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
        None => Elf::read(head.get(..read)?)?.loader(file).map(Interpreter::Loader),
    }
}

/// How a program of this system begins.
#[cfg(not(target_os = "macos"))]
const MAGICS: [[u8; 4]; 1] = [*b"\x7fELF"];
/// mach-o/loader.h and fat.h: of one kind of machine, or of several.
#[cfg(target_os = "macos")]
const MAGICS: [[u8; 4]; 3] = [[0xcf, 0xfa, 0xed, 0xfe], [0xca, 0xfe, 0xba, 0xbe], [0xca, 0xfe, 0xba, 0xbf]];

/// Whether the file begins as a program does.
pub(super) fn is_program(file: &File) -> bool {
    let mut magic = [0; 4];
    file.read_exact_at(&mut magic, 0).is_ok() && MAGICS.contains(&magic)
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

/// What the fields of an ELF file's headers are (elf(5)): of 32 or 64 bits, and in which order their bytes stand.
struct Elf<'a> {
    head: &'a [u8],
    wide: bool,
    little: bool,
}

impl Elf<'_> {
    fn read(head: &[u8]) -> Option<Elf<'_>> {
        let (class, order) = match head.strip_prefix(b"\x7fELF")? {
            [class, order, ..] => (*class, *order),
            _ => return None,
        };
        Some(Elf { head, wide: class == 2, little: order == 1 })
    }

    /// The number at the first place in a file of 32 bits, at the second in one of 64; places are (offset, size).
    fn number(&self, bytes: &[u8], narrow: (usize, usize), wide: (usize, usize)) -> Option<u64> {
        let (offset, size) = if self.wide { wide } else { narrow };
        let bytes = bytes.get(offset..offset + size)?;
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) })
    }

    /// e_machine
    #[cfg(target_os = "linux")]
    fn machine(&self) -> Option<u16> {
        self.number(self.head, (18, 2), (18, 2)).map(|machine| machine as u16)
    }

    /// Its PT_INTERP, if it has one.
    fn loader(&self, file: &File) -> Option<String> {
        const PT_INTERP: u64 = 3;
        let table = self.number(self.head, (28, 4), (32, 8))?;
        let entry_size = self.number(self.head, (42, 2), (54, 2))?;
        let entries = self.number(self.head, (44, 2), (56, 2))?;
        for index in 0..entries {
            let mut entry = [0; 56];
            let room = entry.get_mut(..if self.wide { 56 } else { 32 })?;
            file.read_exact_at(room, table.checked_add(index * entry_size)?).ok()?;
            if self.number(&entry, (0, 4), (0, 4))? != PT_INTERP {
                continue;
            }
            let offset = self.number(&entry, (4, 4), (8, 8))?;
            let size = self.number(&entry, (16, 4), (32, 8))?.min(PATH);
            let mut path = vec![0; size as usize];
            file.read_exact_at(&mut path, offset).ok()?;
            let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
            return Some(String::from_utf8_lossy(path).into_owned());
        }
        None
    }
}

/// The machine (e_machine) of an ELF file that the kernel itself would not have said ENOENT of: one without a loader,
/// or whose loader can be opened.
#[cfg(target_os = "linux")]
pub(super) fn complete_elf(file: &File) -> Option<u16> {
    let mut head = [0; LINE];
    let read = file.read_at(&mut head, 0).ok()?;
    let elf = Elf::read(head.get(..read)?)?;
    let complete = elf.loader(file).is_none_or(|loader| Path::new(&loader).exists());
    elf.machine().filter(|_| complete)
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
    #[cfg_attr(target_feature = "crt-static", ignore = "these tests are themselves no dynamic program")]
    fn a_dynamic_program_names_its_loader() {
        let own = File::open("/proc/self/exe").unwrap();
        let Some(Interpreter::Loader(loader)) = read_interpreter(&own) else { panic!("no loader") };
        assert!(Path::new(&loader).exists(), "{loader}");
        assert!(is_program(&own));
    }

    /// A file of this process's own that holds `bytes`.
    fn file_of(bytes: &[u8]) -> File {
        let path = std::env::temp_dir().join(format!("command-root-elf-{:?}", std::thread::current().id()));
        std::fs::write(&path, bytes).unwrap();
        let file = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file
    }

    /// A 32-bit file in the order of bytes that `order` names, with one program header: its loader's path.
    fn narrow(order: u8, bytes_of: impl Fn(u64, usize) -> Vec<u8>, loader: &str) -> Vec<u8> {
        let mut file = b"\x7fELF\x01".to_vec();
        file.push(order);
        file.resize(84, 0);
        let size = loader.len() as u64 + 1;
        for (at, width, value) in
            [(18, 2, 40), (28, 4, 52), (42, 2, 32), (44, 2, 1), (52, 4, 3), (56, 4, 84), (68, 4, size)]
        {
            file[at..at + width].copy_from_slice(&bytes_of(value, width));
        }
        file.extend(loader.as_bytes());
        file.push(0);
        file
    }

    #[test]
    fn files_of_other_machines_are_read_too() {
        let big = |value: u64, width: usize| value.to_be_bytes()[8 - width..].to_vec();
        let little = |value: u64, width: usize| value.to_le_bytes()[..width].to_vec();
        for (loader, machine) in [("/bin/sh", Some(40)), ("/no/such/loader", None)] {
            for bytes in [narrow(1, little, loader), narrow(2, big, loader)] {
                let file = file_of(&bytes);
                assert_eq!(read_interpreter(&file), Some(Interpreter::Loader(loader.into())));
                assert_eq!(complete_elf(&file), machine, "{loader}");
            }
        }
        assert_eq!(complete_elf(&file_of(b"#!/bin/sh\n")), None);
        assert_eq!(complete_elf(&file_of(b"\x7fEL")), None);
    }

    #[test]
    fn other_files_name_nobody() {
        for path in ["/etc/passwd", "/dev/null"] {
            let file = File::open(path).unwrap();
            assert_eq!(read_interpreter(&file), None);
            assert!(!is_program(&file));
        }
    }
}
