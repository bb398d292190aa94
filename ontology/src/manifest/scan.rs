//! Reads JSON in linear time within limits that hold before anything is built.

use std::borrow::Cow;
use std::collections::HashSet;

use catalog_schemas::problem::Finding;

use super::tree::{Duplicate, Json, Member, Node, Tree, cut, position, push_pointer};

/// What a manifest may cost; a stranger wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Objects and arrays within one another.
    pub depth: usize,
    /// Values, keys not counted.
    pub values: usize,
    /// Bytes of one string.
    pub string: usize,
    /// Bytes of one key.
    pub key: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 10 << 20, depth: 64, values: 100_000, string: 256 << 10, key: 1 << 10 }
    }
}

/// Reads JSON text with the position of every value; the first fault of the syntax, or the first limit reached, ends it.
///
/// Keys that stand twice do not end it: [`validate`](super::validate) reports them together with everything else.
pub fn read<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Tree<'a>, Vec<Finding>> {
    if bytes.len() > limits.bytes {
        return Err(vec![
            Finding::error(
                "limit.size",
                format!("the file has {} bytes, at most {} are read", bytes.len(), limits.bytes),
            )
            .at(1, 1)
            .got(format!("{} bytes", bytes.len()))
            .expected(format!("at most {} bytes", limits.bytes))
            .fix("move long texts and data into files of the package"),
        ]);
    }
    if bytes.starts_with(&[0xfe, 0xff]) || bytes.starts_with(&[0xff, 0xfe]) {
        return Err(vec![
            Finding::error("json.syntax", "the file begins with a byte order mark of UTF-16")
                .at(1, 1)
                .got("UTF-16")
                .expected("UTF-8 without a byte order mark")
                .fix("save the file as UTF-8"),
        ]);
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
            let (line, column) = position(good, good.len());
            let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
            return Err(vec![
                Finding::error("json.syntax", format!("byte 0x{byte:02x} is not UTF-8"))
                    .at(line, column)
                    .got(format!("byte 0x{byte:02x}"))
                    .expected("UTF-8")
                    .fix("save the file as UTF-8"),
            ]);
        }
    };
    if text.starts_with('\u{feff}') {
        return Err(vec![
            Finding::error("json.syntax", "the file begins with a byte order mark, which JSON does not allow")
                .at(1, 1)
                .got("U+FEFF")
                .expected("UTF-8 without a byte order mark")
                .fix("save the file without a byte order mark"),
        ]);
    }
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes(),
        at: 0,
        limits,
        depth: 0,
        values: 0,
        path: Vec::new(),
        duplicates: Vec::new(),
    };
    match scanner.document() {
        Ok(root) => Ok(Tree { text, root, duplicates: scanner.duplicates }),
        Err(fault) => {
            let (line, column) = position(text, fault.offset);
            let mut finding = Finding::error(fault.code, fault.message).at(line, column).pointer(scanner.pointer());
            finding.got = fault.got;
            finding.expected = fault.expected;
            finding.fix = fault.fix;
            Err(vec![finding])
        }
    }
}

struct Fault {
    code: &'static str,
    offset: usize,
    message: String,
    got: Option<String>,
    expected: Option<String>,
    fix: Option<String>,
}

enum Step<'a> {
    Key(Cow<'a, str>),
    Index(usize),
}

struct Scanner<'a, 'l> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    limits: &'l Limits,
    depth: usize,
    values: usize,
    path: Vec<Step<'a>>,
    duplicates: Vec<Duplicate>,
}

/// A file that doubles every key is reported often enough with this many findings.
const MOST_DUPLICATES: usize = 100;

impl<'a> Scanner<'a, '_> {
    fn document(&mut self) -> Result<Node<'a>, Fault> {
        self.space();
        if self.at == self.bytes.len() {
            return Err(self.syntax("the file is empty", "a JSON object"));
        }
        let root = self.value()?;
        self.space();
        if self.at < self.bytes.len() {
            return Err(self.syntax("something follows the end of the JSON value", "the end of the file"));
        }
        Ok(root)
    }

    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.path {
            match step {
                Step::Key(key) => push_pointer(&mut pointer, key),
                Step::Index(index) => push_pointer(&mut pointer, &index.to_string()),
            }
        }
        pointer
    }

    fn syntax(&self, message: &str, expected: &str) -> Fault {
        let (message, got) = match self.text[self.at..].chars().next() {
            None if message.starts_with("the file is empty") => (message.to_owned(), "nothing".to_owned()),
            None => (format!("the file ends too early: {message}"), "the end of the file".to_owned()),
            Some(character) if character.is_control() => (message.to_owned(), format!("U+{:04X}", character as u32)),
            Some(character) => (message.to_owned(), character.to_string()),
        };
        Fault {
            code: "json.syntax",
            offset: self.at,
            message,
            got: Some(got),
            expected: Some(expected.to_owned()),
            fix: Some(super::fixes::of_syntax(self.text, self.at, expected)),
        }
    }

    fn limit(&self, code: &'static str, offset: usize, message: String, expected: String, fix: &str) -> Fault {
        Fault { code, offset, message, got: None, expected: Some(expected), fix: Some(fix.to_owned()) }
    }

    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Node<'a>, Fault> {
        let offset = self.at;
        self.values += 1;
        if self.values > self.limits.values {
            let most = self.limits.values;
            return Err(self.limit(
                "limit.size",
                offset,
                format!("the file holds more than {most} values"),
                format!("at most {most} values"),
                "move data into files of the package",
            ));
        }
        let value = match self.bytes.get(self.at) {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::array)?,
            Some(b'"') => Json::String(self.string(self.limits.string)?),
            Some(b'-' | b'0'..=b'9') => Json::Number(Cow::Borrowed(self.number()?)),
            Some(b't') => self.word("true", Json::Boolean(true))?,
            Some(b'f') => self.word("false", Json::Boolean(false))?,
            Some(b'n') => self.word("null", Json::Null)?,
            _ => return Err(self.syntax("a JSON value is missing", "a JSON value")),
        };
        Ok(Node { offset: offset as u32, value })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json<'a>, Fault>) -> Result<Json<'a>, Fault> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            let most = self.limits.depth;
            return Err(self.limit(
                "limit.depth",
                self.at,
                format!("objects and arrays stand more than {most} deep within one another"),
                format!("at most {most} levels"),
                "flatten the structure",
            ));
        }
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Json<'a>, Fault> {
        let mut members: Vec<Member<'a>> = Vec::new();
        let mut seen: HashSet<Cow<'a, str>> = HashSet::new();
        self.space();
        if self.bytes.get(self.at) == Some(&b'}') {
            self.at += 1;
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            let offset = self.at;
            if self.bytes.get(self.at) != Some(&b'"') {
                return Err(self.syntax("a key in double quotes is missing", "a key in double quotes"));
            }
            let key = self.string(self.limits.key)?;
            // A set pays only when there are many keys; until then a scan is cheaper.
            let twice = if members.len() < 12 {
                members.iter().any(|member| member.key == key)
            } else {
                if seen.is_empty() {
                    seen.extend(members.iter().map(|member| member.key.clone()));
                }
                !seen.insert(key.clone())
            };
            self.path.push(Step::Key(key.clone()));
            if twice && self.duplicates.len() < MOST_DUPLICATES {
                let pointer = self.pointer();
                self.duplicates.push(Duplicate { offset: offset as u32, pointer, key: cut(&key, 80) });
            }
            self.space();
            if self.bytes.get(self.at) != Some(&b':') {
                return Err(self.syntax("a colon is missing after the key", "`:`"));
            }
            self.at += 1;
            self.space();
            let value = self.value()?;
            self.path.pop();
            members.push(Member { key, offset: offset as u32, value });
            self.space();
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Json::Object(members));
                }
                _ => return Err(self.syntax("a comma or the end of the object is missing", "`,` or `}`")),
            }
        }
    }

    fn array(&mut self) -> Result<Json<'a>, Fault> {
        let mut items = Vec::new();
        self.space();
        if self.bytes.get(self.at) == Some(&b']') {
            self.at += 1;
            return Ok(Json::Array(items));
        }
        loop {
            self.space();
            self.path.push(Step::Index(items.len()));
            items.push(self.value()?);
            self.path.pop();
            self.space();
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Json::Array(items));
                }
                _ => return Err(self.syntax("a comma or the end of the array is missing", "`,` or `]`")),
            }
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, Fault> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.syntax("a JSON value is missing", "a JSON value"))
        }
    }

    fn number(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.syntax("a digit is missing", "a digit")),
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        if self.at - start > 100 {
            return Err(self.limit(
                "limit.size",
                start,
                "a number has more than 100 characters".to_owned(),
                "at most 100 characters".to_owned(),
                "write the number with fewer digits",
            ));
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.digits();
        if self.at == start { Err(self.syntax("a digit is missing", "a digit")) } else { Ok(()) }
    }

    fn string(&mut self, most: usize) -> Result<Cow<'a, str>, Fault> {
        let open = self.at;
        self.at += 1;
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|&byte| byte != b'"' && byte != b'\\' && byte >= 0x20) {
            self.at += 1;
        }
        let mut text = Cow::Borrowed(&self.text[start..self.at]);
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    break;
                }
                Some(b'\\') => {
                    let character = self.escape()?;
                    text.to_mut().push(character);
                }
                Some(byte) if *byte >= 0x20 => {
                    let from = self.at;
                    while self.bytes.get(self.at).is_some_and(|&byte| byte != b'"' && byte != b'\\' && byte >= 0x20) {
                        self.at += 1;
                    }
                    text.to_mut().push_str(&self.text[from..self.at]);
                }
                Some(_) => return Err(self.syntax("a string holds a raw control character", "an escape such as `\\n`")),
                None => return Err(self.syntax("a string is not closed", "`\"`")),
            }
        }
        if text.len() > most {
            return Err(self.limit(
                "limit.size",
                open,
                format!("a string has {} bytes, at most {most} are read", text.len()),
                format!("at most {most} bytes"),
                "move the text into a file of the package",
            ));
        }
        Ok(text)
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let start = self.at;
        self.at += 1;
        let character = match self.bytes.get(self.at) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                let first = self.hexadecimal()?;
                let code = match first {
                    0xd800..=0xdbff if self.text[self.at..].starts_with("\\u") => {
                        self.at += 2;
                        let second = self.hexadecimal()?;
                        if !(0xdc00..=0xdfff).contains(&second) {
                            self.at = start;
                            return Err(self.syntax("half of a surrogate pair stands alone", "a whole character"));
                        }
                        0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                    }
                    other => other,
                };
                let Some(character) = char::from_u32(code) else {
                    self.at = start;
                    return Err(self.syntax("half of a surrogate pair stands alone", "a whole character"));
                };
                return Ok(character);
            }
            _ => return Err(self.syntax("an escape is not known", "one of `\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u`")),
        };
        self.at += 1;
        Ok(character)
    }

    fn hexadecimal(&mut self) -> Result<u32, Fault> {
        let digits = self.bytes.get(self.at..self.at + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits else {
            return Err(self.syntax("four hexadecimal digits are missing after `\\u`", "four hexadecimal digits"));
        };
        let value = digits.iter().fold(0, |sum, &digit| sum * 16 + (digit as char).to_digit(16).unwrap_or_default());
        self.at += 4;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(bytes: &[u8]) -> (String, u32, u32, String) {
        let finding = read(bytes, &Limits::default()).unwrap_err().remove(0);
        (finding.code, finding.line.unwrap(), finding.column.unwrap(), finding.pointer)
    }

    #[test]
    fn every_value_knows_its_place() {
        let text = "{\n  \"näme\": \"é\", \"list\": [1,\n 2.50, {\"a/b\": true}]\n}";
        let tree = read(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(tree.position(tree.at("/list").unwrap().offset), (2, 24));
        assert_eq!(tree.position(tree.at("/list/1").unwrap().offset), (3, 2));
        assert_eq!(tree.at("/list/2/a~1b").unwrap().value, Json::Boolean(true));
        assert_eq!(tree.at("/list/1").unwrap().shown(), "2.50");
    }

    #[test]
    fn faults_of_the_syntax_are_placed() {
        let syntax = |line, column, pointer: &str| ("json.syntax".to_owned(), line, column, pointer.to_owned());
        assert_eq!(fault(b""), syntax(1, 1, ""));
        assert_eq!(fault(b"{\n \"a\": [1, 2"), syntax(2, 12, "/a"));
        assert_eq!(fault(b"{\"a\": 01}"), syntax(1, 8, ""));
        assert_eq!(fault(b"{\"a\": \"\\ud800\"}"), syntax(1, 8, "/a"));
        assert_eq!(fault(b"{\"a\": 1,}"), syntax(1, 9, ""));
        assert_eq!(fault(b"\xef\xbb\xbf{}"), syntax(1, 1, ""));
        assert_eq!(fault(b"{\"a\":\n\"\xff\"}"), syntax(2, 2, ""));
        assert_eq!(fault(b"{} {}"), syntax(1, 4, ""));
    }

    #[test]
    fn limits_hold_at_their_number_and_not_one_later() {
        let limits = Limits { bytes: 1000, depth: 3, values: 5, string: 4, key: 3 };
        for (good, bad, code) in [
            ("[[[]]]", "[[[[]]]]", "limit.depth"),
            ("[1,2,3,4]", "[1,2,3,4,5]", "limit.size"),
            ("\"abcd\"", "\"abcde\"", "limit.size"),
            ("{\"abc\":1}", "{\"abcd\":1}", "limit.size"),
        ] {
            assert!(read(good.as_bytes(), &limits).is_ok(), "{good}");
            assert_eq!(read(bad.as_bytes(), &limits).unwrap_err()[0].code, code, "{bad}");
        }
        assert!(read(" ".repeat(998).as_bytes(), &limits).is_err());
        assert!(read(format!("{}{}", "{}", " ".repeat(998)).as_bytes(), &limits).is_ok());
        assert_eq!(read(format!("{}{}", "{}", " ".repeat(999)).as_bytes(), &limits).unwrap_err()[0].code, "limit.size");
    }

    #[test]
    fn deep_and_wide_bombs_are_refused_at_once() {
        assert_eq!(fault("[".repeat(1 << 20).as_bytes()).0, "limit.depth");
        assert_eq!(fault("{\"@context\":".repeat(100_000).as_bytes()).0, "limit.depth");
        assert_eq!(fault(format!("[{}1]", "1,".repeat(200_000)).as_bytes()).0, "limit.size");
    }

    #[test]
    fn doubled_keys_are_found_in_small_and_large_objects() {
        let tree = read(b"{\"a\":1,\"\\u0061\":2}", &Limits::default()).unwrap();
        assert_eq!(tree.duplicates[0].pointer, "/a");
        let many: Vec<String> = (0..50).map(|n| format!("\"k{}\":0", n % 40)).collect();
        let text = format!("{{{}}}", many.join(","));
        assert_eq!(read(text.as_bytes(), &Limits::default()).unwrap().duplicates.len(), 10);
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes: Vec<u8>) {
            let _ = read(&bytes, &Limits::default());
        }

        #[test]
        fn what_looks_like_json_never_panics(text in "[\\[\\]{}\",:0-9a-fu\\\\eE.+ -]{0,60}") {
            let ours = read(text.as_bytes(), &Limits::default());
            if let Ok(tree) = &ours {
                let theirs: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                if tree.duplicates.is_empty() && !text.contains(['e', 'E', '.']) && text.len() < 19 {
                    prop_assert_eq!(tree.root.to_json(), theirs);
                }
            }
        }
    }
}
