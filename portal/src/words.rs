//! Numbers, amounts and dates as a person reads them.

use catalog_schemas::datazone::Datazone;
use catalog_schemas::plan::Resources;
use catalog_schemas::problem::Problem;
use catalog_schemas::volume::Space;

/// Returns a count with its thousands apart: `21,818`.
pub(crate) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a count with its noun: `1 result`, `5 results`.
pub(crate) fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// Returns memory given in MiB: `512 MiB`, `2 GiB`, `1.5 GiB`.
pub(crate) fn memory(mib: u64) -> String {
    if mib < 1024 { format!("{mib} MiB") } else { format!("{} GiB", tenths(mib, 1024)) }
}

/// Returns a size in bytes with decimal units: `412 MB`, `1.1 TB`.
pub(crate) fn bytes(size: u64) -> String {
    let units = [(1_000_000_000_000_000, "PB"), (1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB")];
    for (unit, name) in units {
        if size >= unit {
            return format!("{} {name}", tenths(size, unit));
        }
    }
    if size >= 1000 { format!("{} kB", tenths(size, 1000)) } else { format!("{size} bytes") }
}

fn tenths(amount: u64, unit: u64) -> String {
    let rounded = (u128::from(amount) * 10 + u128::from(unit) / 2) / u128::from(unit);
    match rounded % 10 {
        0 => (rounded / 10).to_string(),
        fraction => format!("{}.{fraction}", rounded / 10),
    }
}

/// Returns the day of a moment: `12 Oct 2022`; what is no moment stays as it is.
pub(crate) fn day(moment: &str) -> String {
    match moment.parse::<jiff::Timestamp>() {
        Ok(time) => time.strftime("%-d %b %Y").to_string(),
        Err(_) => moment
            .parse::<jiff::civil::Date>()
            .map_or_else(|_| moment.to_owned(), |date| date.strftime("%-d %b %Y").to_string()),
    }
}

/// Returns day and minute of a moment in UTC: `12 Oct 2022, 10:42 UTC`.
pub(crate) fn minute(moment: &str) -> String {
    moment
        .parse::<jiff::Timestamp>()
        .map_or_else(|_| moment.to_owned(), |time| time.strftime("%-d %b %Y, %H:%M UTC").to_string())
}

/// Returns the time of day in UTC: `10:42:07`.
pub(crate) fn clock(moment: &str) -> String {
    moment.parse::<jiff::Timestamp>().map_or_else(|_| moment.to_owned(), |time| time.strftime("%H:%M:%S").to_string())
}

/// Returns the time between two moments: `14 s`, `3 min 2 s`, `2 h 5 min`.
pub(crate) fn between(from: &str, to: &str) -> Option<String> {
    let (from, to) = (from.parse::<jiff::Timestamp>().ok()?, to.parse::<jiff::Timestamp>().ok()?);
    Some(duration(to.as_second().saturating_sub(from.as_second())))
}

/// Returns a number of seconds in words.
pub(crate) fn duration(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3600 if s % 60 == 0 => format!("{} min", s / 60),
        s @ 60..3600 => format!("{} min {} s", s / 60, s % 60),
        s @ 3600..172_800 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        s => format!("{} days", s / 86_400),
    }
}

/// Returns what the API said as a sentence: its messages begin in lower case and have no full stop.
pub(crate) fn sentence(message: &str) -> String {
    let message = message.trim();
    let mut rest = message.chars();
    let Some(first) = rest.next() else { return String::new() };
    // A name such as `my_lab` or jl-gaia stays as it is written; a word that only begins a sentence does not.
    let word = message.split(char::is_whitespace).next().unwrap_or_default();
    let is_word = word.chars().all(|c| c.is_lowercase() || ",;:'’".contains(c));
    let first = if is_word { first.to_uppercase().to_string() } else { first.to_string() };
    let end = if message.ends_with(['.', '!', '?', '…', ':']) { "" } else { "." };
    format!("{first}{}{end}", rest.as_str())
}

/// Returns what a problem says: its findings when it has some, else its detail, else its title.
pub(crate) fn said(problem: &Problem) -> String {
    if problem.findings.is_empty() {
        return sentence(problem.detail.as_ref().filter(|detail| !detail.trim().is_empty()).unwrap_or(&problem.title));
    }
    let findings: Vec<String> = problem.findings.iter().map(|finding| sentence(&finding.message)).collect();
    findings.join(" ")
}

/// Returns a label with a capital.
pub(crate) fn capitalised(label: &str) -> String {
    let mut rest = label.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// Returns a version as it stands in a list, where a bare number would say nothing.
pub(crate) fn version(version: &str) -> String {
    if version.contains('.') { version.to_owned() } else { format!("version {version}") }
}

/// Returns this moment.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// Returns a record type in plain words.
pub(crate) fn kind(kind: &str) -> String {
    match kind {
        "DataVolume" => "Data volume".to_owned(),
        other => other.to_owned(),
    }
}

/// Returns an interface in plain words.
pub(crate) fn interface(interface: &str) -> String {
    match interface {
        "web" => "Web".to_owned(),
        "desktop" => "Desktop".to_owned(),
        "vm" => "Virtual machine".to_owned(),
        "terminal" => "Terminal".to_owned(),
        "headless" => "No interface".to_owned(),
        other => other.to_owned(),
    }
}

/// Returns what is needed in words: `2 CPU, 2 GiB memory, no GPU`.
pub(crate) fn resources(resources: &Resources) -> String {
    let mut parts = Vec::new();
    if let Some(cpu) = resources.cpu {
        parts.push(format!("{} CPU", cpu.min));
    }
    if let Some(range) = resources.memory_mib {
        parts.push(format!("{} memory", memory(range.min)));
    }
    match &resources.gpu {
        Some(gpu) if gpu.count > 0 => {
            let models: Vec<&str> = gpu.models.iter().chain(&gpu.model).map(String::as_str).collect();
            let kind = if models.is_empty() { String::new() } else { format!(" ({})", models.join(" or ")) };
            let cuda = gpu.cuda.as_ref().map_or(String::new(), |cuda| format!(" with CUDA {cuda}"));
            parts.push(format!("{} GPU{kind}{cuda}", gpu.count));
        }
        _ => parts.push("no GPU".to_owned()),
    }
    parts.join(", ")
}

/// Returns a datazone's name, or its id when it is not known here.
pub(crate) fn zone_name(zones: &[Datazone], id: &str) -> String {
    zones.iter().find(|zone| zone.id == id).map_or_else(|| id.to_owned(), |zone| zone.name.clone())
}

/// Names the program and the system of a `User-Agent`: `Firefox on Linux`; an unknown program's first word stays.
pub(crate) fn browser(agent: &str) -> String {
    // Chromium's relatives also call themselves Chrome, and Chrome calls itself Safari: the order matters.
    const PROGRAMS: [(&str, &str); 6] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("HeadlessChrome/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let known =
        |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    let Some(program) = known(&PROGRAMS) else { return clip(agent, 60) };
    known(&SYSTEMS).map_or_else(|| program.to_owned(), |system| format!("{program} on {system}"))
}

/// Returns a text cut at a word to at most `most` characters.
pub(crate) fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let cut: String = text.chars().take(most).collect();
    let end = cut.rfind(char::is_whitespace).filter(|end| *end > most / 2).unwrap_or(cut.len());
    format!("{}…", cut[..end].trim_end_matches(|c: char| c.is_whitespace() || c == ',' || c == '.'))
}

/// Names what is mounted: a volume by its key, a space in words.
pub(crate) fn mounted(key: &str) -> String {
    match Space::of_key(key) {
        Some(Space::Personal) => "my space".to_owned(),
        Some(Space::Team(team)) => format!("space of {team}"),
        None => key.to_owned(),
    }
}

/// Returns a line of a log as a terminal would leave it: without colours, and with what was written over something else.
pub(crate) fn plain(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    let line = line.rsplit_once('\r').map_or(line, |(_, last)| last);
    let (mut plain, mut rest) = (String::with_capacity(line.len()), line.chars());
    while let Some(character) = rest.next() {
        match character {
            // Control sequences end with a letter, titles of windows with a bell (ECMA-48, section 5.4).
            '\u{1b}' => match rest.next() {
                Some('[') => _ = rest.find(|it| matches!(it, '@'..='~')),
                Some(']') => _ = rest.find(|it| matches!(it, '\u{7}' | '\\')),
                _ => {}
            },
            '\t' => plain.push(character),
            _ if character.is_control() => {}
            _ => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_log_is_what_a_terminal_leaves_of_it() {
        for (line, expected) in [
            ("\u{1b}[1;30mINFO\u{1b}[0m [step first] start", "INFO [step first] start"),
            ("10 %\r20 %\r100 %\r", "100 %"),
            ("\u{1b}]0;title\u{7}a\tb\u{8}", "a\tb"),
            ("cut \u{1b}[1", "cut "),
            ("cut \u{1b}", "cut "),
            ("plain ✓", "plain ✓"),
        ] {
            assert_eq!(plain(line), expected);
        }
    }

    #[test]
    fn amounts_read_well() {
        assert_eq!([count(0), count(999), count(21_818), count(1_000_000)], ["0", "999", "21,818", "1,000,000"]);
        assert_eq!([memory(512), memory(2048), memory(1536)], ["512 MiB", "2 GiB", "1.5 GiB"]);
        assert_eq!([bytes(12), bytes(412_000_000), bytes(1_100_000_000_000)], ["12 bytes", "412 MB", "1.1 TB"]);
        assert_eq!(
            [duration(14), duration(182), duration(300), duration(7500)],
            ["14 s", "3 min 2 s", "5 min", "2 h 5 min"]
        );
        assert_eq!(day("2022-10-12T08:00:00Z"), "12 Oct 2022");
        assert_eq!(day("2022-10-12"), "12 Oct 2022");
        assert_eq!(day("soon"), "soon");
    }

    #[test]
    fn messages_become_sentences() {
        assert_eq!(sentence("has no GPU"), "Has no GPU.");
        assert_eq!(sentence("`x` is not a path"), "`x` is not a path.");
        assert_eq!(sentence("jl-gaia runs already"), "jl-gaia runs already.");
        assert_eq!(sentence("It is so."), "It is so.");
        assert_eq!(sentence("64 of 64 CPUs free"), "64 of 64 CPUs free.");
        assert_eq!(sentence(" "), "");
        assert_eq!([version("2"), version("0.3.1")], ["version 2", "0.3.1"]);
    }

    #[test]
    fn a_browser_is_named_as_people_name_it() {
        for (agent, expected) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
                "Edge on Windows",
            ),
            ("curl/8.5.0", "curl/8.5.0"),
        ] {
            assert_eq!(super::browser(agent), expected);
        }
    }

    #[test]
    fn clipping_ends_at_a_word() {
        assert_eq!(clip("short", 10), "short");
        assert_eq!(clip("one two three four", 12), "one two…");
        assert_eq!(clip("ééééééééééé", 4), "éééé…");
    }
}
