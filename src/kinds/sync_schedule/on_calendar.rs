//! A schedule in the words of `OnCalendar=`: with every part written out, and the time zone.
use super::Calendar;
use std::collections::BTreeSet;

/// One or two expressions: cron runs on a day of the month *or* of the week where both are given, systemd only on days that
/// are both.
pub fn on_calendar(schedule: &Calendar, zone: &str) -> Vec<String> {
    let all = match schedule {
        Calendar::Systemd(text) => vec![written_out(text)],
        // What was read as cron when it was loaded has five fields.
        Calendar::Cron(text) => cron(text).unwrap_or_default(),
    };
    all.into_iter().map(|calendar| format!("{calendar} {zone}")).collect()
}

/// `02:00` is `*-*-* 02:00:00`.
fn written_out(text: &str) -> String {
    let long = match text.to_ascii_lowercase().as_str() {
        "minutely" => "*-*-* *:*:00",
        "hourly" => "*-*-* *:00:00",
        "daily" => "*-*-* 00:00:00",
        "weekly" => "Mon *-*-* 00:00:00",
        "monthly" => "*-*-01 00:00:00",
        "quarterly" => "*-01,04,07,10-01 00:00:00",
        "semiannually" => "*-01,07-01 00:00:00",
        "yearly" => "*-01-01 00:00:00",
        _ => text,
    };
    let mut words: Vec<&str> = long.split_whitespace().collect();
    let days = words.first().copied().filter(|w| w.starts_with(|c: char| c.is_ascii_alphabetic()));
    if days.is_some() {
        words.remove(0);
    }
    let time = match words.last().filter(|word| word.contains(':')) {
        Some(time) if time.matches(':').count() == 1 => format!("{time}:00"),
        Some(time) => (*time).to_owned(),
        None => "00:00:00".to_owned(),
    };
    let date = match words.first().filter(|word| !word.contains(':')) {
        Some(date) if date.split(['-', '~']).count() == 2 => format!("*-{date}"),
        Some(date) => (*date).to_owned(),
        None => "*-*-*".to_owned(),
    };
    days.into_iter().chain([date.as_str(), time.as_str()]).collect::<Vec<_>>().join(" ")
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// Five fields, each written out as the values that it stands for.
fn cron(text: &str) -> Option<Vec<String>> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields[..] else { return None };
    let minutes = listed(&values(minute, 0, 59, &[])?, 0, 59);
    let hours = listed(&values(hour, 0, 23, &[])?, 0, 23);
    let days = listed(&values(day, 1, 31, &[])?, 1, 31);
    let months = listed(&values(month, 1, 12, &MONTHS)?, 1, 12);
    let short: Vec<String> = DAYS.iter().map(|day| day.to_ascii_lowercase()).collect();
    let short: Vec<&str> = short.iter().map(String::as_str).collect();
    // 7 is Sunday as well.
    let weekdays: BTreeSet<u8> = values(weekday, 0, 7, &short)?.into_iter().map(|day| day % 7).collect();
    // systemd begins the week with Monday.
    let named = (1..=7u8).map(|day| day % 7).filter(|day| weekdays.contains(day)).map(|day| DAYS[usize::from(day)]);
    let named = named.collect::<Vec<_>>().join(",");
    let time = format!("{hours}:{minutes}:00");
    let on_date = format!("*-{months}-{days} {time}");
    Some(match (days == "*", weekdays.len() == 7) {
        (_, true) => vec![on_date],
        (true, false) => vec![format!("{named} *-{months}-* {time}")],
        (false, false) => vec![on_date, format!("{named} *-{months}-* {time}")],
    })
}

/// `*`, `a`, `a-b`, each with a step, in a list; names stand for `least`, `least + 1` and so on.
fn values(field: &str, least: u8, most: u8, names: &[&str]) -> Option<BTreeSet<u8>> {
    let value = |word: &str| {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(word)).and_then(|n| u8::try_from(n).ok());
        named.map(|n| n + least).or_else(|| word.parse().ok()).filter(|n| (least..=most).contains(n))
    };
    let mut all = BTreeSet::new();
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<usize>().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" || range == "?" => (least, most),
            Some((from, to)) => (value(from)?, value(to)?),
            None if part.contains('/') => (value(range)?, most),
            None => (value(range)?, value(range)?),
        };
        all.extend((from..=to).step_by(step));
    }
    Some(all)
}

fn listed(all: &BTreeSet<u8>, least: u8, most: u8) -> String {
    if (least..=most).all(|n| all.contains(&n)) {
        return "*".to_owned();
    }
    all.iter().map(|n| format!("{n:02}")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_become_one() {
        for (schedule, expected) in [
            ("02:00", "*-*-* 02:00:00 UTC"),
            ("daily", "*-*-* 00:00:00 UTC"),
            ("Mon..Fri 06:30", "Mon..Fri *-*-* 06:30:00 UTC"),
            ("Sat,Sun", "Sat,Sun *-*-* 00:00:00 UTC"),
            ("*-*-01 00:00", "*-*-01 00:00:00 UTC"),
            ("*:0/15", "*-*-* *:0/15:00 UTC"),
            ("*-*~1 02:00:30", "*-*~1 02:00:30 UTC"),
            ("0 2 * * *", "*-*-* 02:00:00 UTC"),
            ("*/15 * * * *", "*-*-* *:00,15,30,45:00 UTC"),
            ("30 6 * * MON-FRI", "Mon,Tue,Wed,Thu,Fri *-*-* 06:30:00 UTC"),
            ("0 0 1 jan,JUL *", "*-01,07-01 00:00:00 UTC"),
            ("5 4 * * 0,7", "Sun *-*-* 04:05:00 UTC"),
            ("0 0 1,15 * 5", "*-*-01,15 00:00:00 UTC | Fri *-*-* 00:00:00 UTC"),
        ] {
            let parsed: Calendar = schedule.parse().unwrap();
            let all = on_calendar(&parsed, "UTC");
            assert_eq!(all.join(" | "), expected, "{schedule}");
            for one in all.iter().filter(|one| !one.contains('~')) {
                assert!(crate::sandbox::systemd::Calendar::parse(one).is_ok(), "systemd reads {one}");
            }
        }
    }
}
