//! Hours of the week.
use super::spelled::spelled;
use jiff::{Timestamp, civil::Weekday, tz::TimeZone};
use std::{fmt, str::FromStr};

const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

/// A time that comes every week: `Sat 02:00-04:00`, with a time zone at its end where it is not UTC: `Sat 02:00-04:00
/// Pacific/Auckland`. The end does not belong to it. One that ends before it begins reaches into the next day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Window {
    day: Weekday,
    /// Minutes since midnight.
    from: u16,
    to: u16,
    zone: Option<String>,
}

impl Window {
    /// The same window in this time zone, unless it names one.
    #[must_use]
    pub fn in_zone(mut self, zone: &str) -> Self {
        self.zone.get_or_insert_with(|| zone.to_owned());
        self
    }
    /// The time zone that it names.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }
    /// Whether this moment is inside. In a zone that is not known, none is.
    pub fn contains(&self, now: Timestamp) -> bool {
        let zone = match &self.zone {
            None => TimeZone::UTC,
            Some(name) => match jiff::tz::TimeZoneDatabase::bundled().get(name) {
                Ok(zone) => zone,
                Err(_) => return false,
            },
        };
        let local = now.to_zoned(zone);
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let today = local.weekday() == self.day;
        let yesterday = local.weekday().previous() == self.day;
        match self.from < self.to {
            true => today && (self.from..self.to).contains(&minute),
            false => (today && minute >= self.from) || (yesterday && minute < self.to),
        }
    }
}

impl FromStr for Window {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("`{text}` is not a time of the week; write it as Sat 02:00-04:00");
        let mut words = text.split(' ');
        let (day, hours, zone) = (words.next().unwrap_or_default(), words.next().ok_or_else(malformed)?, words.next());
        if words.next().is_some() {
            return Err(malformed());
        }
        let (_, day) = DAYS
            .iter()
            .find(|(name, _)| *name == day)
            .ok_or_else(|| format!("`{day}` is not a day; Mon, Tue, Wed, Thu, Fri, Sat and Sun are"))?;
        let minute = |clock: &str| {
            let (hour, minute) = clock.split_once(':')?;
            let two = |digits: &str| (digits.len() == 2).then(|| digits.parse::<u16>().ok()).flatten();
            let (hour, minute) = (two(hour)?, two(minute)?);
            (hour < 24 && minute < 60).then_some(hour * 60 + minute)
        };
        let (from, to) = hours.split_once('-').ok_or_else(malformed)?;
        let (from, to) = (minute(from).ok_or_else(malformed)?, minute(to).ok_or_else(malformed)?);
        if from == to {
            return Err(format!("the time `{text}` ends when it begins"));
        }
        Ok(Self { day: *day, from, to, zone: zone.map(str::to_owned) })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = DAYS.iter().find(|(_, day)| *day == self.day).map_or("", |(name, _)| name);
        let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        write!(f, "{name} {}-{}", clock(self.from), clock(self.to))?;
        match &self.zone {
            Some(zone) => write!(f, " {zone}"),
            None => Ok(()),
        }
    }
}

spelled!(Window, "a time of the week such as Sat 02:00-04:00", { "type": "string", "examples": ["Sat 02:00-04:00"] });

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(window: &str, moment: &str) -> bool {
        window.parse::<Window>().unwrap().contains(moment.parse().unwrap())
    }

    #[test]
    fn a_window_is_a_time_of_the_week_in_its_zone() {
        // 2026-11-28 is a Saturday.
        assert!(inside("Sat 02:00-04:00", "2026-11-28T02:00:00Z"));
        assert!(!inside("Sat 02:00-04:00", "2026-11-28T04:00:00Z"), "the end is outside");
        assert!(!inside("Sat 02:00-04:00", "2026-11-29T03:00:00Z"));
        assert!(inside("Sat 02:00-04:00 Pacific/Auckland", "2026-11-27T13:30:00Z"));
        assert!(!inside("Sat 02:00-04:00 Pacific/Auckland", "2026-11-28T03:00:00Z"));
        assert!(inside("Sat 23:00-01:00", "2026-11-29T00:30:00Z") && inside("Sat 23:00-01:00", "2026-11-28T23:30:00Z"));
        assert!(!inside("Sat 23:00-01:00", "2026-11-28T00:30:00Z"));
        assert!(!inside("Sat 02:00-04:00 No/Where", "2026-11-28T03:00:00Z"));
    }

    #[test]
    fn what_is_no_window_is_said() {
        let said = ["Saturday 02:00-04:00", "Sat 2:00-4:00", "Sat 02:00", "Sat 02:00-25:00", "Sat 02:00-02:00", "Sat"];
        for text in said {
            assert!(text.parse::<Window>().is_err(), "{text}");
        }
        assert_eq!("Sat 02:00-04:00 UTC".parse::<Window>().unwrap().to_string(), "Sat 02:00-04:00 UTC");
    }
}
