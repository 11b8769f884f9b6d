//! Values as Proxmox spells them, and when two spellings are one value.
use crate::model::Size;

/// When two spellings are one value.
pub type Same = fn(&str, &str) -> bool;

/// The same to the letter.
pub fn text(a: &str, b: &str) -> bool {
    a == b
}

/// The same number.
pub fn number(a: &str, b: &str) -> bool {
    a.trim().parse::<f64>().ok() == b.parse::<f64>().ok()
}

/// A size as people write it, of a number of bytes that may be odd.
pub fn size(of: u64) -> String {
    match of % 1024 {
        0 => format!("{}KiB", of / 1024).parse::<Size>().map_or_else(|_| of.to_string(), |s| s.to_string()),
        _ => format!("{of} bytes"),
    }
}

/// On or off, as Proxmox writes it.
pub fn flag(on: bool) -> String {
    u8::from(on).to_string()
}

/// The words of a list with any separator that Proxmox takes.
pub fn words(text: &str) -> Vec<&str> {
    text.split([' ', ',', ';']).filter(|w| !w.is_empty()).collect()
}

/// The same words in the same order.
pub fn same_words(a: &str, b: &str) -> bool {
    words(a) == words(b)
}

/// The same addresses in the same order.
pub fn same_addresses(a: &str, b: &str) -> bool {
    let all = |text: &str| words(text).iter().map(|w| w.parse::<std::net::IpAddr>().ok()).collect::<Vec<_>>();
    all(a) == all(b)
}

/// Whole MiB, in which Proxmox counts memory.
pub fn mebibytes(size: Size) -> String {
    (size.bytes() >> 20).to_string()
}

/// Whole GiB as such, else with as many digits as it takes.
pub fn gibibytes(size: Size) -> String {
    let (whole, mut rest) = (size.bytes() >> 30, size.bytes() & ((1 << 30) - 1));
    let mut digits = String::new();
    while rest > 0 {
        rest *= 10;
        digits.push(char::from(b'0' + u8::try_from(rest >> 30).unwrap_or(0)));
        rest &= (1 << 30) - 1;
    }
    if digits.is_empty() { whole.to_string() } else { format!("{whole}.{digits}") }
}

/// With blanks between them.
pub fn join<T: ToString>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
