//! When a schedule runs.
use crate::model::spelled;
use std::{fmt, str::FromStr};

const WORDS: [&str; 8] = ["minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly"];

/// When a schedule runs: a calendar expression of systemd (`02:00`, `Mon..Fri 06:30`, `*-*-01 00:00`, `daily`), or five fields of cron
/// (`0 2 * * *`). The time zone is a field of its own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Calendar {
    /// For systemd, as it stands.
    Systemd(String),
    /// Five fields: minute, hour, day of the month, month, day of the week.
    Cron(String),
}

impl FromStr for Calendar {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() == 5 {
            croner::Cron::from_str(text).map_err(|e| format!("`{text}` is not a schedule of cron: {e}"))?;
            return Ok(Self::Cron(fields.join(" ")));
        }
        if WORDS.contains(&text) {
            return Ok(Self::Systemd(text.into()));
        }
        let malformed = |why: &str| {
            Err(format!("`{text}` is not a schedule: {why}; write it as 02:00, Mon..Fri 06:30 or 0 2 * * *"))
        };
        if fields.is_empty() || fields.len() > 3 {
            return malformed("systemd's calendars have up to three parts, cron's have five");
        }
        let mut rest = fields.as_slice();
        if let Some((first, after)) = rest.split_first()
            && first.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            if let Some(wrong) = first.split([',', '.']).find(|day| !day.is_empty() && !weekday(day)) {
                return malformed(&format!("`{wrong}` is no day of the week"));
            }
            rest = after;
        }
        let shaped = |part: &str| {
            part.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '-' | ':' | '/' | ',' | '.' | '~'))
        };
        if let Some(wrong) = rest.iter().find(|part| !shaped(part)) {
            return malformed(&format!("`{wrong}` is neither a date nor a time"));
        }
        let (times, dates): (Vec<&str>, Vec<&str>) = rest.iter().partition(|part| part.contains(':'));
        if times.len() > 1 || dates.len() > 1 || (times.len() == 1 && rest.last() != times.first()) {
            return malformed("at most a date and then a time may stand there");
        }
        if let Some(time) = times.first() {
            let units: Vec<&str> = time.split(':').collect();
            let limit = |unit: &str, limit: u32| {
                unit.split([',', '.', '/']).filter_map(|n| n.parse().ok()).all(|n: u32| n < limit)
            };
            if units.len() > 3
                || units.iter().any(|u| u.is_empty())
                || !limit(units[0], 24)
                || !units[1..].iter().all(|u| limit(u, 60))
            {
                return malformed(&format!("`{time}` is no time of the day"));
            }
        }
        if let Some(date) = dates.first()
            && !matches!(date.split(['-', '~']).count(), 2 | 3)
        {
            return malformed(&format!("`{date}` is no date"));
        }
        Ok(Self::Systemd(fields.join(" ")))
    }
}

fn weekday(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    days.iter().any(|day| *day == lower || day[..3] == lower)
}

impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Systemd(text) | Self::Cron(text) => f.write_str(text),
        }
    }
}

spelled!(Calendar, "a schedule such as 02:00 (in quotes)", {
    "type": "string", "examples": ["02:00", "Mon..Fri 06:30", "0 2 * * *"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_are_told_apart_and_mistakes_found() {
        for text in
            ["02:00", "daily", "Mon..Fri 06:30", "Sat,Sun 04:00:00", "*-*-01 00:00", "*:0/15", "*-*~1 02:00", "Fri"]
        {
            assert_eq!(text.parse(), Ok(Calendar::Systemd(text.into())), "{text}");
        }
        for text in ["0 2 * * *", "*/15 * * * MON-FRI"] {
            assert_eq!(text.parse(), Ok(Calendar::Cron(text.into())), "{text}");
        }
        for (text, words) in [
            ("", "up to three parts"),
            ("25:00", "no time of the day"),
            ("02:60", "no time of the day"),
            ("Funday 02:00", "`Funday` is no day"),
            ("02:00 UTC", "neither a date nor a time"),
            ("02:00 03:00", "at most a date"),
            ("61 2 * * *", "not a schedule of cron"),
            ("2 o'clock", "`o'clock` is neither"),
            ("nightly", "no day of the week"),
            ("7", "no date"),
        ] {
            let error = text.parse::<Calendar>().expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
