//! What to do about what is wrong with a source, by the code of the fault.

/// Returns what to do about a fault or a trouble with a code, in a sentence for the operator of this catalogue.
pub fn fix(code: &str) -> Option<&'static str> {
    Some(match code {
        "fetch.policy" => {
            "If the address is meant, allow private addresses for the source (`allowPrivateAddresses`), or give it an address that everybody can reach."
        }
        "fetch.timeout" | "fetch.connect" | "fetch.client" | "fetch.spool" | "page.cut" | "source.read"
        | "run.failed" | "ledger" | "source.silent" => {
            "Nothing, if it passes: the source is asked again. If it stays, look whether its server and this one are well."
        }
        "fetch.status" => {
            "Have the address mended at the source, or leave it out with `exclude`. Until it can be read nothing of the source is removed here."
        }
        "fetch.redirect" | "source.moved" => "Give the source the address that it moved to.",
        "fetch.encoding" | "limit.ratio" => "Have the source send its pages plain or packed with gzip or deflate.",
        "limit.bytes" | "limit.run" => {
            "Raise `maxBytes` or `maxPageBytes` in the source's settings, if so much is meant."
        }
        "limit.pages" => "Raise `maxPages` in the source's settings, if so many are meant.",
        "limit.line" | "limit.depth" | "limit.size" | "limit.values" | "limit.attributes" => {
            "Have the record written smaller or flatter at the source; the rest of it was read."
        }
        "limit.statements" => "Say `{limit}` and `{offset}` in the query, so that each page has whole records.",
        "page.format" => {
            "Look whether `url`, `kind` and `format` of the source fit what is there: a sign-in page or an error is often why."
        }
        "page.syntax" | "page.empty" | "json.cut" | "xml.cut" | "xml.entity" | "json.syntax" | "yaml.syntax"
        | "xml.syntax" | "rdf.syntax" | "table.syntax" | "table.fields" | "text.charset" | "text.nul" => {
            "Have what stands there mended at the source; until then what it said before stays."
        }
        "xml.doctype" => "Have the source send XML without a document type, which could name other files.",
        "table.header" => "Have the first line of the table name its columns.",
        "page.short" => "Say a smaller `pageSize`, and ORDER BY in the query: what lies between the pages is not read.",
        "page.parts" => {
            "Have the pages of the distributions mended at the source; until then the dataset stays as it was."
        }
        "paging.loop" | "paging.next" | "list.short" | "list.moved" => {
            "Tell who runs the source: its pages must lead from the first record to the last. If it changed while it was read, the next run has all of it."
        }
        "paging.elsewhere" | "link.none" => {
            "Have the link mended at the source, or give the source the address where the list really is."
        }
        "oai.token" => {
            "Nothing, if it passes: the list is read anew. If it stays, the repository gives up its lists too soon."
        }
        "oai.error" | "oai.from" => {
            "Look whether `metadataPrefix` and `set` are what the repository offers (`verb=ListMetadataFormats`, `verb=ListSets`)."
        }
        "record.none" => "Look whether the mapping of the source fits: it finds no record in what stands there.",
        "record.no_identifier" => {
            "Have the record given an identifier that stays, or map one of its fields to `dct:identifier`."
        }
        "record.no_type" => "Have the record say what it is, or let the mapping say it (`kind`).",
        "record.no_title" => "Have the record given a title, or map one of its fields to it.",
        "duplicate" => {
            "Have one of the two removed at the source, or give them different identifiers; the first one counts."
        }
        "iri.invalid" => "Have the address mended at the source; it was left out here.",
        "node.incomplete" => "Have the part completed at the source; it was left out here.",
        "value.format" => {
            "Have the value mended at the source, or bring it to the form in the mapping; the rest of the record was taken."
        }
        "value.several" => "Have one text in each language; the first one was taken.",
        "value.too_long" => {
            "Have it written shorter at the source: here it is cut, or left out where a part says nothing."
        }
        "date.future" => "Have the date mended at the source, if it is wrong.",
        "mapping.unreadable" | "mapping.failed" => "Mend the mapping; `docs/harvesting.md` says how one is tried.",
        "source.settings" => "Change the source's settings as the message says.",
        "source.unreadable" => "Look at what was set aside: if the source has a new form, give it another mapping.",
        "source.fault" | "source.panicked" | "run.not_applied" => {
            "This is a fault of the catalogue: please report it with the run's page and the server's log."
        }
        "source.stopped" => "Nothing: the source is read at its next run.",
        "run.deadline" => "Ask for less at once: split the source, or read it with `incremental`.",
        "federation.own_zone" => "Remove the source: it leads back to this very catalogue.",
        "federation.other_zone" => {
            "Look whether the address still is the zone that it was; define a new source for another zone."
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::fix;

    #[test]
    fn every_code_of_this_crate_has_a_fix() {
        let made = Regex::new(r#"(?:Fault::new|Trouble::(?:lasting|passing)|remark)\(\s*"([a-z_.]+)""#).unwrap();
        let (mut folders, mut seen) = (vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))], 0);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let text = std::fs::read_to_string(entry.path()).unwrap();
                for code in made.captures_iter(text.split("mod tests").next().unwrap_or_default()) {
                    assert!(fix(&code[1]).is_some(), "{} has no fix", &code[1]);
                    seen += 1;
                }
            }
        }
        assert!(seen > 50, "only {seen} codes were found");
        assert!(fix("nothing.such").is_none());
    }
}
