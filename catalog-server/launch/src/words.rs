//! Amounts as people write them, in integer arithmetic.

/// Writes a number of bytes with at most one decimal and a decimal unit, as data volumes are spoken of: `4.1 TB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1000 {
        return format!("{count} bytes");
    }
    let mut unit = 1u128;
    let mut name = "";
    for candidate in UNITS {
        unit *= 1000;
        name = candidate;
        // Half a tenth below the next unit already rounds up to it.
        if u128::from(count) * 20 < unit * 19_999 {
            break;
        }
    }
    let tenths = (u128::from(count) * 10 + unit / 2) / unit;
    if tenths.is_multiple_of(10) {
        format!("{} {name}", tenths / 10)
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}

/// Writes an amount of memory: GiB when it is whole, MiB otherwise.
pub(crate) fn mebibytes(count: u64) -> String {
    if count >= 1024 && count.is_multiple_of(1024) { format!("{} GiB", count / 1024) } else { format!("{count} MiB") }
}

/// Writes `free of total` memory in one unit, rounding what is free down.
pub(crate) fn free_of_mebibytes(free: u64, total: u64) -> String {
    if total >= 10 * 1024 && (free == 0 || free >= 1024) {
        format!("{} of {} GiB", free / 1024, total / 1024)
    } else {
        format!("{free} of {total} MiB")
    }
}

/// Chooses the singular for one.
pub(crate) fn plural<'a>(count: u64, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

/// Joins names with commas and a last `and`.
pub(crate) fn list<T: AsRef<str>>(names: &[T]) -> String {
    match names {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [head @ .., last] => {
            format!("{} and {}", head.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "), last.as_ref())
        }
    }
}

/// Writes an error with its causes, as the outermost one alone only says that something failed.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !words.contains(&more) {
            words.push_str(": ");
            words.push_str(&more);
        }
        source = cause.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_people_write_them() {
        let written: Vec<String> =
            [0, 999, 1000, 4_096_000_000_000, 4_140_000_000_000, 999_960, 1_000_000, u64::MAX].map(bytes).into();
        assert_eq!(written, ["0 bytes", "999 bytes", "1 kB", "4.1 TB", "4.1 TB", "1 MB", "1 MB", "18.4 EB"]);
        assert_eq!([mebibytes(2048), mebibytes(1536), mebibytes(512)], ["2 GiB", "1536 MiB", "512 MiB"]);
        assert_eq!(free_of_mebibytes(120 * 1024, 256 * 1024), "120 of 256 GiB");
        assert_eq!(free_of_mebibytes(300, 256 * 1024), "300 of 262144 MiB");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }
}
