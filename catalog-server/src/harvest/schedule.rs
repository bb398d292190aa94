//! When a source runs: every so often, or as cron says.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The shortest interval: more often than this asks too much of others.
const SHORTEST: Duration = Duration::from_secs(10);
/// The first wait after a failure, and the longest.
const BACKOFF: (u64, u64) = (60, 3600);

/// When a source runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// So long after the last run.
    Every(Duration),
    /// At the minutes that five fields name, in UTC.
    Cron(Box<Cron>),
}

/// Five fields as cron has them: minute, hour, day of month, month, day of week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether day of month and day of week are both restricted: then either is enough, as cron has always had it.
    either: bool,
}

/// Says why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{given}` is not a schedule: write an interval such as `6h`, `30m` or `1d`, or five fields as cron has them, such as `0 3 * * 1`"
)]
pub struct InvalidSchedule {
    given: String,
}

impl std::str::FromStr for Schedule {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, InvalidSchedule> {
        let invalid = || InvalidSchedule { given: text.chars().take(80).collect() };
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        match fields.as_slice() {
            [one] => interval(one).map(Self::Every).ok_or_else(invalid),
            [minutes, hours, days, months, weekdays] => {
                let field = |text, from, to| field(text, from, to).ok_or_else(invalid);
                let mut of_week = field(weekdays, 0, 7)?;
                // Sunday is 0 and 7.
                of_week |= of_week >> 7 & 1;
                Ok(Self::Cron(Box::new(Cron {
                    minutes: field(minutes, 0, 59)?,
                    hours: field(hours, 0, 23)?,
                    days: field(days, 1, 31)?,
                    months: field(months, 1, 12)?,
                    weekdays: of_week & 0x7f,
                    either: *days != "*" && *weekdays != "*",
                })))
            }
            _ => Err(invalid()),
        }
    }
}

fn interval(text: &str) -> Option<Duration> {
    let unit = text.char_indices().last().map(|(at, _)| at)?;
    let number: u64 = text[..unit].parse().ok()?;
    let seconds = match &text[unit..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    let interval = Duration::from_secs(number.checked_mul(seconds)?);
    (SHORTEST..=Duration::from_secs(366 * 86_400)).contains(&interval).then_some(interval)
}

/// Reads a field such as `*`, `5`, `1-5`, `*/15`, `1,3,5` into a set of bits.
fn field(text: &str, from: u64, to: u64) -> Option<u64> {
    let mut set = 0;
    for part in text.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let step: u64 = step.parse().ok().filter(|step| *step > 0)?;
        let (first, last) = match range {
            "*" => (from, to),
            range => match range.split_once('-') {
                Some((first, last)) => (first.parse().ok()?, last.parse().ok()?),
                None => (range.parse().ok()?, if part.contains('/') { to } else { range.parse().ok()? }),
            },
        };
        if first < from || last > to || first > last {
            return None;
        }
        (first..=last).step_by(usize::try_from(step).ok()?).for_each(|value| set |= 1 << value);
    }
    Some(set)
}

impl Schedule {
    /// Returns the next moment after one; nothing when there is none within five years, such as a 30 February.
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(interval) => now.checked_add(*interval).ok(),
            Self::Cron(cron) => cron.next_after(now),
        }
    }
}

impl Cron {
    fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let start = now.to_zoned(TimeZone::UTC).datetime();
        let mut at = start.date().at(start.hour(), start.minute(), 0, 0).checked_add(1.minute()).ok()?;
        let end = at.checked_add(5.years()).ok()?;
        while at < end {
            if !self.has_day(at) {
                at = at.date().tomorrow().ok()?.at(0, 0, 0, 0);
            } else if !has(self.hours, at.hour()) {
                at = at.date().at(at.hour(), 0, 0, 0).checked_add(1.hour()).ok()?;
            } else if !has(self.minutes, at.minute()) {
                at = at.checked_add(1.minute()).ok()?;
            } else {
                return at.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
            }
        }
        None
    }

    fn has_day(&self, at: DateTime) -> bool {
        let of_month = has(self.days, at.day());
        let of_week = has(self.weekdays, at.weekday().to_sunday_zero_offset());
        has(self.months, at.month()) && if self.either { of_month || of_week } else { of_month && of_week }
    }
}

fn has(set: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| set >> value & 1 == 1)
}

/// Returns how long to wait after so many failures in a row, between 1 and 60 minutes, up to a fifth longer by chance.
pub(super) fn backoff(failures: u32, chance: f64) -> Duration {
    let base = BACKOFF.0.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(BACKOFF.1);
    Duration::from_secs_f64(base as f64 * (1.0 + chance.clamp(0.0, 1.0) / 5.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, now: &str) -> String {
        let schedule: Schedule = schedule.parse().unwrap();
        schedule.next_after(now.parse().unwrap()).map_or_else(|| "never".to_owned(), |next| next.to_string())
    }

    #[test]
    fn intervals_and_cron_fields_say_when() {
        let now = "2026-11-25T22:26:30Z";
        let cases = [
            ("6h", "2026-11-26T04:26:30Z"),
            ("30m", "2026-11-25T22:56:30Z"),
            ("* * * * *", "2026-11-25T22:27:00Z"),
            ("*/15 * * * *", "2026-11-25T22:30:00Z"),
            ("0 3 * * *", "2026-11-26T03:00:00Z"),
            ("0 3 * * 1", "2026-11-30T03:00:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
            ("0 0 1 * 7", "2026-11-29T00:00:00Z"),
            ("0 0 30 2 *", "never"),
        ];
        for (schedule, expected) in cases {
            assert_eq!(next(schedule, now), expected, "{schedule}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in [
            "",
            "6",
            "h",
            "0s",
            "1s",
            "-6h",
            "6 hours",
            "* * * *",
            "60 * * * *",
            "*/0 * * * *",
            "5-1 * * * *",
            "99999999999999999999d",
        ] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }

    #[test]
    fn waits_after_failures_grow_to_an_hour() {
        let minutes: Vec<u64> = (1..9).map(|failures| backoff(failures, 0.0).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff(u32::MAX, 1.0).as_secs(), 4320);
    }
}
