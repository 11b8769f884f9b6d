//! Calendar events, as schedules of the cluster's jobs are written: those of systemd, and minutes alone (`*/15`).
//! The texts of what is refused are those of the crate `proxmox-time`, which reads them there.
use crate::sandbox::systemd::Calendar;

/// Reads an event.
///
/// # Errors
/// Where reading stopped, in the words of the real parser.
pub fn parse(text: &str) -> Result<Calendar, String> {
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let spec = |c: char| c.is_ascii_digit() || matches!(c, '*' | '/' | ',' | '.');
    // Minutes alone, after weekdays or by themselves.
    if let Some(last) = words.last_mut().filter(|last| !last.is_empty() && last.chars().all(spec)) {
        *last = format!("*:{last}");
    }
    Calendar::parse(&words.join(" ")).map_err(|_| {
        let (at, what) = stopped(text.trim());
        format!("invalid calendar event '{text}' - unable to parse calendar event at '{at}' - {what}\n")
    })
}

/// A word that is no weekday is refused as one; of anything else that is too large the digits are taken and the rest is not
/// understood.
fn stopped(text: &str) -> (&str, &'static str) {
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return (text, "Context(\"weekday\")");
    }
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[digits..], "Nom(Eof)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_may_stand_alone() {
        let now: jiff::Zoned = "2026-11-21T13:51:05[UTC]".parse().unwrap();
        for (text, next) in [
            ("*/15", "2026-11-21T14:00:00"),
            ("30", "2026-11-21T14:30:00"),
            ("mon..fri 02:30", "2026-11-23T02:30:00"),
            ("sun 5,55", "2026-11-22T00:05:00"),
            ("daily", "2026-11-22T00:00:00"),
        ] {
            assert_eq!(parse(text).unwrap().next(&now).unwrap().datetime().to_string(), next, "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused_in_the_words_of_the_real_parser() {
        assert_eq!(
            parse("nonsense").unwrap_err(),
            "invalid calendar event 'nonsense' - unable to parse calendar event at 'nonsense' - Context(\"weekday\")\n"
        );
        assert!(parse("25:99").unwrap_err().ends_with("at ':99' - Nom(Eof)\n"));
    }
}
