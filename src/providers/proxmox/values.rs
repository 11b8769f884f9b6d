//! Values as Proxmox VE spells them: numbers that come as text, booleans that are 0 and 1, sizes with a one-letter unit.
use serde_json::Value;

/// Parameters in the order in which they are sent.
pub(super) type Pairs = Vec<(String, String)>;

/// The text of a scalar, whatever its JSON type; the same field comes as `256` for a container and `"1024"` for a
/// machine (seen on pve-manager 9.2.11). `None` for null, lists and objects.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(u8::from(*b).to_string()),
        _ => None,
    }
}

/// A whole number that may be written as text.
pub fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(n) => n.as_u64(),
        Value::String(s) => s.trim().parse().ok(),
        Value::Bool(b) => Some(u64::from(*b)),
        _ => None,
    }
}

/// The spellings of true that Proxmox accepts inside property strings.
pub fn is_true(word: &str) -> bool {
    matches!(word.to_ascii_lowercase().as_str(), "1" | "on" | "yes" | "true")
}

/// Bytes of a disk size: `8G`, `1536M`, `2162689K`, `1.5G`; a bare number is bytes.
pub fn bytes(size: &str) -> Option<u64> {
    let size = size.trim();
    let (digits, shift) = match size.as_bytes().last()? {
        b'K' => (&size[..size.len() - 1], 10),
        b'M' => (&size[..size.len() - 1], 20),
        b'G' => (&size[..size.len() - 1], 30),
        b'T' => (&size[..size.len() - 1], 40),
        _ => (size, 0),
    };
    let unit = 1u64 << shift;
    if let Ok(whole) = digits.parse::<u64>() {
        return whole.checked_mul(unit);
    }
    let (whole, fraction) = digits.split_once('.')?;
    let scale = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = u128::from(fraction.parse::<u64>().ok()?) * u128::from(unit) / u128::from(scale);
    whole.parse::<u64>().ok()?.checked_mul(unit)?.checked_add(u64::try_from(part).ok()?)
}

/// A size as Proxmox prints it: the largest unit that divides it exactly, bytes without a letter.
pub fn size(bytes: u64) -> String {
    for (letter, shift) in [('T', 40), ('G', 30), ('M', 20), ('K', 10)] {
        if bytes != 0 && bytes.is_multiple_of(1 << shift) {
            return format!("{}{letter}", bytes >> shift);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_are_read_in_any_json_type() {
        assert_eq!(text(&json!(256)), Some("256".into()));
        assert_eq!(text(&json!("1024")), Some("1024".into()));
        assert_eq!(text(&json!(null)), None);
        assert_eq!(number(&json!("300")), Some(300));
        assert_eq!(number(&json!(300)), Some(300));
        assert_eq!(number(&json!("x")), None);
    }

    #[test]
    fn sizes_go_both_ways() {
        for (written, wanted) in [
            ("8G", 8 << 30),
            ("1536M", 1536 << 20),
            ("1.5G", 1536 << 20),
            ("2147483649", 2_147_483_649),
            ("2162689K", 2_162_689 << 10),
        ] {
            assert_eq!(bytes(written), Some(wanted), "{written}");
        }
        assert_eq!(size(1536 << 20), "1536M");
        assert_eq!(size(2_147_483_649), "2147483649");
        for wrong in ["", "G", "-1G", "8GiB", "99999999999T"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
