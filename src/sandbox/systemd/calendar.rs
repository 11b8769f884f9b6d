//! systemd calendar expressions (`systemd.time(7)`): weekdays, date, time, time zone.
use jiff::{
    ToSpan, Zoned,
    civil::{Date, DateTime, Time, Weekday},
    tz::TimeZone,
};

/// A parsed expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Calendar {
    weekdays: Option<Vec<Weekday>>,
    year: Field,
    month: Field,
    day: Field,
    hour: Field,
    minute: Field,
    second: Field,
    zone: Option<TimeZone>,
}

/// `*`, or a list of values, ranges and steps.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Field(Vec<(i16, i16, i16)>);

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl Calendar {
    /// Reads an expression; `Err` is what `systemd-analyze calendar` says.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let failed = || format!("Failed to parse calendar specification '{text}': Invalid argument");
        let long = match text.trim().to_ascii_lowercase().as_str() {
            "minutely" => "*-*-* *:*:00",
            "hourly" => "*-*-* *:00:00",
            "daily" => "*-*-* 00:00:00",
            "weekly" => "Mon *-*-* 00:00:00",
            "monthly" => "*-*-01 00:00:00",
            "quarterly" => "*-01,04,07,10-01 00:00:00",
            "semiannually" => "*-01,07-01 00:00:00",
            "yearly" | "annually" => "*-01-01 00:00:00",
            _ => text,
        };
        let mut words: Vec<&str> = long.split_whitespace().collect();
        let zone = match words.last().copied() {
            Some("UTC") => Some(TimeZone::UTC),
            Some(name) if name.contains('/') && name.starts_with(|c: char| c.is_ascii_uppercase()) => {
                Some(TimeZone::get(name).map_err(|_| failed())?)
            }
            _ => None,
        };
        if zone.is_some() {
            words.pop();
        }
        let weekdays = match words.first() {
            Some(word) if word.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                let days = days(word).ok_or_else(failed)?;
                words.remove(0);
                Some(days)
            }
            _ => None,
        };
        let (date, time) = match words[..] {
            [] if weekdays.is_some() => ("*-*-*", "00:00:00"),
            [time] if time.contains(':') => ("*-*-*", time),
            [date] => (date, "00:00:00"),
            [date, time] => (date, time),
            _ => return Err(failed()),
        };
        let date: Vec<&str> = date.split('-').collect();
        let (year, month, day) = match date[..] {
            [month, day] => ("*", month, day),
            [year, month, day] => (year, month, day),
            _ => return Err(failed()),
        };
        let time: Vec<&str> = time.split(':').collect();
        let (hour, minute, second) = match time[..] {
            [hour, minute] => (hour, minute, "0"),
            [hour, minute, second] => (hour, minute, second),
            _ => return Err(failed()),
        };
        let field = |text, least, most| Field::parse(text, least, most).ok_or_else(failed);
        Ok(Self {
            weekdays,
            year: field(year, 1970, 2199)?,
            month: field(month, 1, 12)?,
            day: field(day, 1, 31)?,
            hour: field(hour, 0, 23)?,
            minute: field(minute, 0, 59)?,
            second: field(second, 0, 59)?,
            zone,
        })
    }

    /// The first moment after `now`, which carries the time zone of the guest; within ten years.
    pub fn next(&self, now: &Zoned) -> Option<Zoned> {
        let zone = self.zone.clone().unwrap_or_else(|| now.time_zone().clone());
        let start = now.with_time_zone(zone.clone());
        let mut date: Date = start.date();
        for _ in 0..3660 {
            if self.on(date) {
                let found =
                    self.times().filter_map(|time| DateTime::from_parts(date, time).to_zoned(zone.clone()).ok());
                if let Some(found) = found.into_iter().find(|at| *at > start) {
                    return Some(found);
                }
            }
            date = date.checked_add(1.day()).ok()?;
        }
        None
    }

    fn on(&self, date: Date) -> bool {
        self.year.holds(date.year())
            && self.month.holds(i16::from(date.month()))
            && self.day.holds(i16::from(date.day()))
            && self.weekdays.as_ref().is_none_or(|days| days.contains(&date.weekday()))
    }

    fn times(&self) -> impl Iterator<Item = Time> + '_ {
        let units = |field: &Field, most| {
            let all = (0..=most).filter(|&n| field.holds(n));
            all.filter_map(|n| i8::try_from(n).ok()).collect::<Vec<i8>>()
        };
        let (hours, minutes, seconds) = (units(&self.hour, 23), units(&self.minute, 59), units(&self.second, 59));
        hours.into_iter().flat_map(move |h| {
            let seconds = seconds.clone();
            minutes
                .clone()
                .into_iter()
                .flat_map(move |m| seconds.clone().into_iter().filter_map(move |s| Time::new(h, m, s, 0).ok()))
        })
    }
}

impl Field {
    fn parse(text: &str, least: i16, most: i16) -> Option<Self> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
            let value: i16 = digits.then(|| text.parse().ok()).flatten()?;
            (least..=most).contains(&value).then_some(value)
        };
        let mut parts = Vec::new();
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, step.parse().ok().filter(|&s: &i16| s > 0)?),
                None => (part, 1),
            };
            let stepped = part.contains('/');
            parts.push(match range.split_once("..") {
                _ if range == "*" => (least, most, step),
                Some((from, to)) => (number(from)?, number(to)?, step),
                None => (number(range)?, if stepped { most } else { number(range)? }, step),
            });
        }
        Some(Self(parts))
    }

    fn holds(&self, value: i16) -> bool {
        self.0.iter().any(|&(from, to, step)| (from..=to).contains(&value) && (value - from) % step == 0)
    }
}

fn days(text: &str) -> Option<Vec<Weekday>> {
    let day = |name: &str| {
        let name = name.to_ascii_lowercase();
        let at = DAYS.iter().position(|(short, _)| name.starts_with(short))?;
        let full = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"][at];
        (name.len() == 3 || name == full).then_some(at)
    };
    let mut all = Vec::new();
    for part in text.trim_end_matches(',').split(',') {
        let (from, to) = part.split_once("..").unwrap_or((part, part));
        let (from, to) = (day(from)?, day(to)?);
        all.extend(DAYS.get(from..=to)?.iter().map(|(_, d)| *d));
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_say_when_next() {
        let now: Zoned = "2026-11-21T17:00:00[Pacific/Auckland]".parse().unwrap();
        for (text, expected) in [
            ("*-*-* 02:00:00 UTC", "2026-11-22T02:00:00+00:00[UTC]"),
            ("02:00", "2026-11-22T02:00:00+13:00[Pacific/Auckland]"),
            ("Mon..Fri 9:30 Europe/Berlin", "2026-11-23T09:30:00+01:00[Europe/Berlin]"),
            ("Sat,Sun *-*-* 18:00", "2026-11-21T18:00:00+13:00[Pacific/Auckland]"),
            ("*-02-29", "2028-02-29T00:00:00+13:00[Pacific/Auckland]"),
            ("*:0/15", "2026-11-21T17:15:00+13:00[Pacific/Auckland]"),
            ("daily", "2026-11-22T00:00:00+13:00[Pacific/Auckland]"),
        ] {
            assert_eq!(Calendar::parse(text).unwrap().next(&now).unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["", "two", "25:00", "0 2 * * *", "*-13-01", "Fun 02:00", "02:00 Mars/Base", "Fri..Mon 2:00"] {
            assert!(Calendar::parse(text).is_err(), "{text}");
        }
    }
}
