//! Reads the tar streams of the list and read scripts: ustar with GNU long names, as GNU tar and BusyBox write them.
use super::{DirectoryEntry, EntryKind};
use bytes::Bytes;

const BLOCK: usize = 512;

/// The entries in the order of the stream, without the directory itself. `Err` says what is wrong with the stream.
pub(super) fn entries(stream: &Bytes) -> Result<Vec<DirectoryEntry>, String> {
    let (mut all, mut at, mut long_name) = (Vec::new(), 0, None);
    while let Some(header) = stream.get(at..at + BLOCK) {
        if header.iter().all(|&byte| byte == 0) {
            return Ok(all);
        }
        check_sum(header)?;
        let size = usize::try_from(octal(&header[124..136])?).map_err(|e| e.to_string())?;
        let from = at + BLOCK;
        if from + size > stream.len() {
            return Err("it ends in the middle of a file".to_owned());
        }
        let content = stream.slice(from..from + size);
        at = from + size.div_ceil(BLOCK) * BLOCK;
        let kind = match header[156] {
            b'L' => {
                long_name = Some(text(&content)?);
                continue;
            }
            b'K' => continue, // a long link target, which nobody here asks for
            b'0' | 0 | b'7' => EntryKind::File,
            b'2' => EntryKind::Symlink,
            b'5' => EntryKind::Directory,
            b'1' | b'3' | b'4' | b'6' => EntryKind::Other,
            other => return Err(format!("unknown type {:?}", char::from(other))),
        };
        let name = match long_name.take() {
            Some(name) => name,
            None => short_name(header)?,
        };
        let name = name.strip_prefix("./").unwrap_or(&name).trim_end_matches('/').to_owned();
        if name.is_empty() || name == "." {
            continue;
        }
        let mode = u32::try_from(octal(&header[100..108])? & 0o7777).map_err(|e| e.to_string())?;
        all.push(DirectoryEntry { name, kind, mode, content });
    }
    Err("it has no end mark".to_owned())
}

fn short_name(header: &[u8]) -> Result<String, String> {
    let name = text(&header[..100])?;
    // Only POSIX ustar has a prefix there; GNU's own format ("ustar  ") keeps times in those bytes.
    let prefix = if header[257..263] == *b"ustar\0" { text(&header[345..500])? } else { String::new() };
    Ok(if prefix.is_empty() { name } else { format!("{prefix}/{name}") })
}

fn text(field: &[u8]) -> Result<String, String> {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    String::from_utf8(field[..end].to_vec()).map_err(|_| "a file name that is not UTF-8".to_owned())
}

fn octal(field: &[u8]) -> Result<u64, String> {
    let digits = String::from_utf8_lossy(field);
    let digits = digits.trim_matches(|c| c == '\0' || c == ' ');
    if digits.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(digits, 8).map_err(|_| format!("bad number {digits:?}"))
}

fn check_sum(header: &[u8]) -> Result<(), String> {
    let blank = |i: usize| (148..156).contains(&i);
    let sum: u64 = header.iter().enumerate().map(|(i, &b)| u64::from(if blank(i) { b' ' } else { b })).sum();
    if octal(&header[148..156])? == sum { Ok(()) } else { Err("a header with a wrong check sum".to_owned()) }
}
