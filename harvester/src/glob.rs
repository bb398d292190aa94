//! Names with `*` and `?`, as operators write them.

/// Says whether a pattern matches the last part of a path, or the whole path where the pattern has a `/`.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let name = if pattern.contains('/') { path } else { path.rsplit('/').next().unwrap_or(path) };
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        if p < pattern.len() && (pattern[p] == '?' || pattern[p] == name[n]) && pattern[p] != '*' {
            (p, n) = (p + 1, n + 1);
        } else if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, n));
            p += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            (p, n) = (at + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|character| *character == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, path, expected) in [
            ("*.yaml", "a/b.yaml", true),
            ("*.yaml", "b.yml", false),
            ("a/*.yaml", "a/b.yaml", true),
            ("a/*.yaml", "c/b.yaml", false),
            ("?b*", "abcd", true),
            ("*", "", true),
            ("x", "x", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }
}
