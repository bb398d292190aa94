//! Reads a query by the grammar (SPARQL 1.1, section 19.8) and says where it first departs from it.
//!
//! It makes nothing of what it reads, and it is only asked about texts that the parser refused: where it is more
//! generous than the parser, the parser's own words are used.

use std::collections::HashSet;

use super::Fault;
use super::expression::AGGREGATES;
use super::reader::{Read, Reader, Selected, fault, shown};
use super::token::{Kind, Token};

const FORMS: [&str; 4] = ["SELECT", "ASK", "CONSTRUCT", "DESCRIBE"];

const UPDATES: [&str; 10] = ["INSERT", "DELETE", "LOAD", "CLEAR", "DROP", "CREATE", "ADD", "MOVE", "COPY", "WITH"];

const IN_GROUP: [&str; 7] = ["OPTIONAL", "MINUS", "GRAPH", "SERVICE", "FILTER", "BIND", "VALUES"];

/// Reads a text; the error is the first place where it is no query. What may break a rule beyond the grammar is returned.
pub(super) fn check(text: &str) -> Result<Vec<Fault>, Fault> {
    let mut reader = Reader::new(text);
    reader.query()?;
    Ok(reader.suspects)
}

impl<'a> Reader<'a> {
    fn query(&mut self) -> Read {
        if self.peek().kind == Kind::End {
            let fix =
                "a query begins with SELECT, ASK, CONSTRUCT or DESCRIBE, as `SELECT * WHERE { ?s ?p ?o } LIMIT 10`";
            return Err(fault(self.peek(), "the query is empty", Some(fix.to_owned())));
        }
        self.prologue()?;
        let first = self.peek();
        if UPDATES.iter().any(|word| first.is(word)) {
            let fix = "ask with SELECT, ASK, CONSTRUCT or DESCRIBE; records change by publishing".to_owned();
            return Err(fault(
                first,
                format!("`{}` begins an update, and only queries are answered", first.text),
                Some(fix),
            ));
        }
        let mut selected = None;
        if self.take("SELECT") {
            selected = Some(self.selection()?);
            self.dataset()?;
            self.pattern()?;
        } else if self.take("ASK") {
            self.dataset()?;
            self.pattern()?;
        } else if self.take("CONSTRUCT") {
            if self.peek().text == "{" {
                self.bracketed("{", "}", Self::template)?;
                self.dataset()?;
                self.pattern()?;
            } else {
                self.dataset()?;
                self.word("WHERE", "`{` with a template, or WHERE")?;
                self.bracketed("{", "}", Self::template)?;
            }
        } else if self.take("DESCRIBE") {
            self.described()?;
            self.dataset()?;
            if self.peek().text == "{" || self.peek().is("WHERE") {
                self.pattern()?;
            }
        } else {
            let expected = if self.prefixes.is_empty() {
                "PREFIX, SELECT, ASK, CONSTRUCT or DESCRIBE"
            } else {
                "SELECT, ASK, CONSTRUCT or DESCRIBE"
            };
            return Err(self.wrong_word(expected, &[&FORMS[..], &["PREFIX", "BASE"]].concat()));
        }
        self.modifiers(selected)?;
        if self.peek().kind == Kind::End { Ok(()) } else { Err(self.after_the_end()) }
    }

    fn after_the_end(&self) -> Fault {
        let words = ["GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "VALUES"];
        match self.peek() {
            token if token.text == "}" => {
                fault(token, "`}` closes nothing", Some("remove it, or add the `{` that it closes".to_owned()))
            }
            token if token.text == ";" => fault(token, "a query does not end with `;`", Some("remove it".to_owned())),
            _ => self.wrong_word("GROUP BY, HAVING, ORDER BY, LIMIT, OFFSET, VALUES or the end of the query", &words),
        }
    }

    fn prologue(&mut self) -> Read {
        loop {
            if self.take("BASE") {
                self.kind(Kind::Iri, "an IRI in angle brackets")?;
            } else if self.take("PREFIX") {
                let name = self.peek();
                if name.kind != Kind::Name || !name.text.ends_with(':') {
                    let fix = "write a prefix as `PREFIX dcat: <http://www.w3.org/ns/dcat#>`".to_owned();
                    return Err(fault(
                        name,
                        format!("a prefix with a colon is expected, not {}", shown(name)),
                        Some(fix),
                    ));
                }
                self.prefixes.insert(name.text.trim_end_matches(':'));
                self.next += 1;
                self.kind(Kind::Iri, "the prefix's IRI in angle brackets")?;
                if self.peek().text == "." {
                    let fix = Some("remove it".to_owned());
                    return Err(fault(self.peek(), "a PREFIX line of SPARQL has no dot at its end", fix));
                }
            } else if self.peek().kind == Kind::Language && matches!(self.peek().text, "@prefix" | "@base") {
                let fix = Some("write `PREFIX name: <IRI>`, without `@` and without a dot".to_owned());
                return Err(fault(self.peek(), "this is how Turtle declares a prefix", fix));
            } else {
                return Ok(());
            }
        }
    }

    fn selection(&mut self) -> Result<Selected<'a>, Fault> {
        let mut selected = Selected::default();
        let _ = self.take("DISTINCT") || self.take("REDUCED");
        let star = self.peek();
        if self.sign("*") {
            return Ok(Selected { star: Some(star), ..selected });
        }
        let mut count = 0;
        loop {
            let token = self.peek();
            if token.kind == Kind::Variable {
                selected.plain.push(token);
                self.next += 1;
            } else if token.text == "(" {
                let begin = self.next;
                self.bracketed("(", ")", |reader| {
                    reader.expression()?;
                    reader.word("AS", "AS and a variable")?;
                    selected.named.push(reader.peek());
                    reader.kind(Kind::Variable, "a variable")
                })?;
                let inside = &self.tokens[begin..self.next];
                selected.has_aggregate |= inside.iter().any(|token| AGGREGATES.iter().any(|name| token.is(name)));
            } else if token.text == "," && count > 0 {
                let fix = Some("remove it".to_owned());
                return Err(fault(token, "variables are separated by spaces, not by commas", fix));
            } else if AGGREGATES.iter().any(|name| token.is(name)) {
                let fix = Some(format!("write `({}(…) AS ?name)`", token.text.to_uppercase()));
                return Err(fault(token, "a value that is worked out needs brackets and a name", fix));
            } else if count > 0 {
                return Ok(selected);
            } else {
                return Err(self.wrong("`*`, variables, or `(expression AS ?name)`"));
            }
            count += 1;
        }
    }

    fn described(&mut self) -> Read {
        if self.sign("*") {
            return Ok(());
        }
        self.name_or_variable()?;
        while matches!(self.peek().kind, Kind::Variable | Kind::Iri | Kind::Name) {
            self.name_or_variable()?;
        }
        Ok(())
    }

    fn dataset(&mut self) -> Read {
        while self.take("FROM") {
            let _ = self.take("NAMED");
            self.name("a graph's IRI")?;
        }
        Ok(())
    }

    fn pattern(&mut self) -> Read {
        let has_where = self.take("WHERE");
        if self.peek().text != "{" {
            return Err(if has_where {
                self.wrong("`{`")
            } else {
                self.wrong_word("WHERE and `{`", &["WHERE", "FROM"])
            });
        }
        self.group()
    }

    pub(super) fn group(&mut self) -> Read {
        self.enter();
        self.bracketed("{", "}", |reader| {
            if reader.take("SELECT") {
                let selected = reader.selection()?;
                reader.pattern()?;
                return reader.modifiers(Some(selected));
            }
            while reader.peek().text != "}" {
                reader.part()?;
            }
            Ok(())
        })?;
        self.leave();
        Ok(())
    }

    /// One part of a group.
    fn part(&mut self) -> Read {
        let token = self.peek();
        if token.text == "{" {
            self.group()?;
            while self.take("UNION") {
                self.group()?;
            }
        } else if self.take("OPTIONAL") || self.take("MINUS") {
            self.group()?;
        } else if self.take("GRAPH") {
            self.name_or_variable()?;
            self.group()?;
        } else if self.take("SERVICE") {
            let _ = self.take("SILENT");
            self.name_or_variable()?;
            self.group()?;
        } else if self.take("FILTER") {
            self.constraint()?;
        } else if self.take("BIND") {
            self.bracketed("(", ")", |reader| {
                reader.expression()?;
                reader.word("AS", "AS and a variable")?;
                let variable = reader.peek();
                reader.kind(Kind::Variable, "a variable")?;
                reader.note_new(variable);
                Ok(())
            })?;
        } else if self.take("VALUES") {
            self.values()?;
        } else {
            self.triples()?;
            let next = self.peek();
            let goes_on = matches!(next.text, "." | "}" | "{") || IN_GROUP.iter().any(|word| next.is(word));
            return if self.sign(".") || goes_on { Ok(()) } else { Err(self.after_triple()) };
        }
        let _ = self.sign(".");
        Ok(())
    }

    fn after_triple(&self) -> Fault {
        let token = self.peek();
        let begins =
            matches!(token.kind, Kind::Variable | Kind::Iri | Kind::Name | Kind::Text | Kind::Number | Kind::Blank);
        if begins {
            let fix = "put `.` before it to begin another statement, `;` for another property of the same subject, `,` for another value";
            return self.told(
                format!("a statement has a subject, a property and a value, and {} is a fourth term", shown(token)),
                "`.`, `;` or `,`",
                Some(fix.to_owned()),
            );
        }
        self.wrong_word("`.`, `;`, `,` or `}`", &IN_GROUP)
    }

    fn template(&mut self) -> Read {
        while self.peek().text != "}" {
            self.triples()?;
            if !self.sign(".") && self.peek().text != "}" {
                return Err(self.after_triple());
            }
        }
        Ok(())
    }

    fn triples(&mut self) -> Read {
        let has_properties = matches!(self.peek().text, "[");
        self.node("a subject: a variable, an IRI or `[`")?;
        if has_properties && matches!(self.peek().text, "." | "}") {
            return Ok(());
        }
        self.properties()
    }

    fn properties(&mut self) -> Read {
        loop {
            if self.peek().kind == Kind::Variable {
                self.note(self.peek());
                self.next += 1;
            } else {
                self.path()?;
            }
            self.node("a value: a variable, an IRI, a text, a number, `[` or `(`")?;
            while self.sign(",") {
                self.node("another value")?;
            }
            if !self.sign(";") {
                return Ok(());
            }
            while self.sign(";") {}
            // Nothing need follow the last one.
            if matches!(self.peek().text, "." | "}" | "]") || IN_GROUP.iter().any(|word| self.peek().is(word)) {
                return Ok(());
            }
        }
    }

    fn path(&mut self) -> Read {
        loop {
            while self.sign("^") || self.sign("!") {}
            if self.peek().text == "(" {
                self.bracketed("(", ")", |reader| if reader.peek().text == ")" { Ok(()) } else { reader.path() })?;
            } else if self.peek().kind == Kind::Word && self.peek().text == "a" {
                self.next += 1;
            } else if matches!(self.peek().kind, Kind::Iri | Kind::Name) {
                self.name("a property")?;
            } else {
                return Err(self.wrong("a property: a variable, an IRI, `a` or a path"));
            }
            let _ = ["*", "+"].iter().any(|sign| self.sign(sign)) || self.sign("?");
            if !(self.sign("/") || self.sign("|")) {
                return Ok(());
            }
        }
    }

    /// A subject or a value.
    fn node(&mut self, expected: &str) -> Read {
        let token = self.peek();
        match token.kind {
            Kind::Sign if token.text == "[" => {
                self.bracketed("[", "]", |reader| if reader.peek().text == "]" { Ok(()) } else { reader.properties() })
            }
            Kind::Sign if token.text == "(" => self.bracketed("(", ")", |reader| {
                while reader.peek().text != ")" {
                    reader.node("a term or `)`")?;
                }
                Ok(())
            }),
            Kind::Variable | Kind::Blank => {
                self.note(token);
                self.next += 1;
                Ok(())
            }
            _ => self.constant(expected),
        }
    }

    /// An IRI or a literal.
    pub(super) fn constant(&mut self, expected: &str) -> Read {
        let token = self.peek();
        match token.kind {
            Kind::Iri | Kind::Name => self.name(expected),
            Kind::Number => {
                self.next += 1;
                Ok(())
            }
            Kind::Sign if matches!(token.text, "+" | "-") => {
                self.next += 1;
                self.kind(Kind::Number, "a number")
            }
            Kind::Word if token.is("true") || token.is("false") => {
                self.next += 1;
                Ok(())
            }
            Kind::Text => {
                self.next += 1;
                if self.peek().kind == Kind::Language {
                    self.next += 1;
                } else if self.sign("^^") {
                    self.name("the IRI of a datatype")?;
                }
                Ok(())
            }
            _ => Err(self.wrong(expected)),
        }
    }

    fn values(&mut self) -> Read {
        let value = |reader: &mut Self| {
            if reader.take("UNDEF") { Ok(()) } else { reader.constant("an IRI, a text, a number or UNDEF") }
        };
        if self.peek().kind == Kind::Variable {
            self.next += 1;
            return self.bracketed("{", "}", |reader| {
                while reader.peek().text != "}" {
                    value(reader)?;
                }
                Ok(())
            });
        }
        let mut variables = 0;
        self.bracketed("(", ")", |reader| {
            while reader.peek().text != ")" {
                reader.kind(Kind::Variable, "a variable or `)`")?;
                variables += 1;
            }
            Ok(())
        })?;
        self.bracketed("{", "}", |reader| {
            while reader.peek().text != "}" {
                let (row, mut count) = (reader.peek(), 0);
                reader.bracketed("(", ")", |reader| {
                    while reader.peek().text != ")" {
                        value(reader)?;
                        count += 1;
                    }
                    Ok(())
                })?;
                if count != variables {
                    let message = format!("a row of VALUES has {count} values, and there are {variables} variables");
                    return Err(fault(row, message, Some("write UNDEF where a value is missing".to_owned())));
                }
            }
            Ok(())
        })
    }

    fn modifiers(&mut self, selected: Option<Selected<'a>>) -> Read {
        let mut grouped = None;
        if self.take("GROUP") {
            self.word("BY", "BY")?;
            let begin = self.next;
            self.some(Self::sorted, "a variable or an expression in brackets")?;
            grouped = Some(grouped_by(&self.tokens[begin..self.next]));
        }
        if let Some(selected) = selected {
            if selected.has_aggregate {
                grouped.get_or_insert_default();
            }
            self.note_selected(&selected, grouped.as_ref());
        }
        if self.take("HAVING") {
            self.some(|reader| reader.begins_constraint().then(|| reader.constraint()), "a condition in brackets")?;
        }
        if self.take("ORDER") {
            self.word("BY", "BY")?;
            self.some(Self::sorted, "a variable, ASC(…), DESC(…) or an expression in brackets")?;
        }
        for _ in 0..2 {
            let word = ["LIMIT", "OFFSET"].into_iter().find(|word| self.peek().is(word));
            let Some(word) = word else { break };
            self.next += 1;
            let number = self.peek();
            if number.kind != Kind::Number || !number.text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(self.wrong(&format!("a whole number after {word}")));
            }
            self.next += 1;
        }
        if self.take("VALUES") { self.values() } else { Ok(()) }
    }

    /// Reads one or more of something.
    fn some(&mut self, mut one: impl FnMut(&mut Self) -> Option<Read>, expected: &str) -> Read {
        one(self).unwrap_or_else(|| Err(self.wrong(expected)))?;
        while let Some(read) = one(self) {
            read?;
        }
        Ok(())
    }

    /// A condition of GROUP BY or ORDER BY, when there is one.
    fn sorted(&mut self) -> Option<Read> {
        let token = self.peek();
        if token.kind == Kind::Variable {
            self.next += 1;
            return Some(Ok(()));
        }
        if self.take("ASC") || self.take("DESC") {
            return Some(self.bracketed("(", ")", Self::expression));
        }
        if token.text == "(" {
            return Some(self.bracketed("(", ")", |reader| {
                reader.expression()?;
                if reader.take("AS") { reader.kind(Kind::Variable, "a variable") } else { Ok(()) }
            }));
        }
        self.begins_constraint().then(|| self.constraint())
    }

    fn begins_constraint(&self) -> bool {
        let token = self.peek();
        let ends = ["HAVING", "ORDER", "LIMIT", "OFFSET", "VALUES"].iter().any(|word| token.is(word));
        let is_call = !ends && self.tokens.get(self.next + 1).is_some_and(|next| next.text == "(");
        token.text == "(" || matches!(token.kind, Kind::Iri | Kind::Name) || (token.kind == Kind::Word && is_call)
    }
}

/// Returns the variables that rows are grouped by: those by themselves, and the names of expressions.
fn grouped_by<'a>(tokens: &[Token<'a>]) -> HashSet<&'a str> {
    let (mut depth, mut names, mut after_as) = (0_usize, HashSet::new(), false);
    for token in tokens {
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ if token.kind == Kind::Variable && (depth == 0 || after_as) => drop(names.insert(token.name())),
            _ => {}
        }
        after_as = token.is("AS");
    }
    names
}
