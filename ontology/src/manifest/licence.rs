//! Licences: SPDX identifiers and the IRIs by which they are named.

/// The prefix of a licence's IRI.
pub(crate) const SPDX: &str = "https://spdx.org/licenses/";

/// The SPDX identifiers met in science software and data; any other is accepted with a warning.
const KNOWN: [&str; 96] = [
    "0BSD",
    "AFL-3.0",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-1.1",
    "Apache-2.0",
    "APL-1.0",
    "Artistic-1.0",
    "Artistic-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-2-Clause-Patent",
    "BSD-3-Clause",
    "BSD-3-Clause-Clear",
    "BSD-3-Clause-LBNL",
    "BSD-4-Clause",
    "BSL-1.0",
    "CC-BY-1.0",
    "CC-BY-2.0",
    "CC-BY-2.5",
    "CC-BY-3.0",
    "CC-BY-3.0-IGO",
    "CC-BY-4.0",
    "CC-BY-NC-3.0",
    "CC-BY-NC-4.0",
    "CC-BY-NC-ND-3.0",
    "CC-BY-NC-ND-4.0",
    "CC-BY-NC-SA-3.0",
    "CC-BY-NC-SA-3.0-IGO",
    "CC-BY-NC-SA-4.0",
    "CC-BY-ND-3.0",
    "CC-BY-ND-4.0",
    "CC-BY-SA-3.0",
    "CC-BY-SA-3.0-IGO",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "CDDL-1.0",
    "CDDL-1.1",
    "CDLA-Permissive-1.0",
    "CDLA-Permissive-2.0",
    "CDLA-Sharing-1.0",
    "CECILL-2.0",
    "CECILL-2.1",
    "CECILL-B",
    "CECILL-C",
    "CERN-OHL-P-2.0",
    "CERN-OHL-S-2.0",
    "CPL-1.0",
    "ECL-2.0",
    "EFL-2.0",
    "EPL-1.0",
    "EPL-2.0",
    "etalab-2.0",
    "EUDatagrid",
    "EUPL-1.1",
    "EUPL-1.2",
    "GFDL-1.3-only",
    "GFDL-1.3-or-later",
    "GPL-1.0-or-later",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "HPND",
    "ICU",
    "IPL-1.0",
    "ISC",
    "JSON",
    "LGPL-2.0-or-later",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "LPPL-1.3c",
    "MIT",
    "MIT-0",
    "MPL-1.1",
    "MPL-2.0",
    "MS-PL",
    "MulanPSL-2.0",
    "NASA-1.3",
    "NCSA",
    "NIST-PD",
    "NLOD-2.0",
    "ODbL-1.0",
    "ODC-By-1.0",
    "OFL-1.1",
    "OGL-UK-3.0",
    "OSL-3.0",
    "PDDL-1.0",
    "PostgreSQL",
    "Python-2.0",
    "Unlicense",
    "UPL-1.0",
    "WTFPL",
    "Zlib",
];

/// What a licence turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Licence {
    /// On the list; its IRI.
    Known(String),
    /// Shaped like an SPDX identifier or an IRI, on no list of ours; its IRI and the nearest one on the list.
    Unknown(String, Option<&'static str>),
    /// Neither an identifier nor an IRI.
    Invalid,
}

/// Reads a licence given as an SPDX identifier or as an IRI.
pub(crate) fn licence(text: &str) -> Licence {
    let text = text.trim();
    if let Some(identifier) = common_iri(text) {
        return named(&identifier);
    }
    if text.contains("://") {
        return match super::lexical::iri(text) {
            Ok(iri) if iri.starts_with("http") => Licence::Unknown(iri, None),
            _ => Licence::Invalid,
        };
    }
    named(text)
}

/// Returns the SPDX identifier of a licence's IRI, for facets and for showing.
pub(crate) fn identifier(iri: &str) -> Option<&str> {
    iri.strip_prefix(SPDX)
}

/// Returns the IRI of a licence that is on the list of those known here, however it is named.
pub fn known_licence(text: &str) -> Option<String> {
    match licence(text) {
        Licence::Known(iri) => Some(iri),
        Licence::Unknown(..) | Licence::Invalid => None,
    }
}

fn named(identifier: &str) -> Licence {
    if let Some(known) = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(identifier)) {
        return Licence::Known(format!("{SPDX}{known}"));
    }
    let shaped = (2..=64).contains(&identifier.len())
        && identifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte))
        && identifier.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !shaped {
        return Licence::Invalid;
    }
    let nearest = KNOWN
        .iter()
        .map(|known| (strsim::jaro_winkler(&known.to_lowercase(), &identifier.to_lowercase()), *known))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known);
    Licence::Unknown(format!("{SPDX}{identifier}"), nearest)
}

/// Returns the SPDX identifier behind the addresses under which licences are usually linked.
fn common_iri(text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let rest = rest.strip_prefix("www.").unwrap_or(rest);
    if let Some(name) = rest.strip_prefix("spdx.org/licenses/") {
        let name = name.trim_end_matches('/');
        return Some(name.strip_suffix(".html").or_else(|| name.strip_suffix(".json")).unwrap_or(name).to_owned());
    }
    if let Some(name) =
        rest.strip_prefix("opensource.org/licenses/").or_else(|| rest.strip_prefix("opensource.org/license/"))
    {
        return Some(name.trim_end_matches('/').to_owned())
            .filter(|name| KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name)));
    }
    if let Some(path) = rest.strip_prefix("creativecommons.org/") {
        let mut parts = path.trim_end_matches('/').split('/');
        return match (parts.next()?, parts.next()?, parts.next()?) {
            ("licenses", kind, version) => Some(format!("CC-{}-{version}", kind.to_uppercase())),
            ("publicdomain", "zero", version) => Some(format!("CC0-{version}")),
            _ => None,
        };
    }
    match rest.trim_end_matches('/') {
        "apache.org/licenses/LICENSE-2.0" | "apache.org/licenses/LICENSE-2.0.html" => Some("Apache-2.0".to_owned()),
        "gnu.org/licenses/gpl-3.0.html" | "gnu.org/licenses/gpl-3.0.en.html" => Some("GPL-3.0-only".to_owned()),
        "mozilla.org/MPL/2.0" => Some("MPL-2.0".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_has_one_iri_however_it_is_named() {
        for given in [
            "GPL-3.0-only",
            "gpl-3.0-only",
            "https://spdx.org/licenses/GPL-3.0-only",
            "http://spdx.org/licenses/GPL-3.0-only.html",
            "https://www.gnu.org/licenses/gpl-3.0.html",
        ] {
            assert_eq!(licence(given), Licence::Known("https://spdx.org/licenses/GPL-3.0-only".to_owned()), "{given}");
        }
        assert_eq!(licence("https://creativecommons.org/licenses/by/4.0/"), Licence::Known(format!("{SPDX}CC-BY-4.0")));
        assert_eq!(licence("GPL-3.0"), Licence::Unknown(format!("{SPDX}GPL-3.0"), Some("GPL-3.0-only")));
        assert_eq!(licence("https://esa.int/licence"), Licence::Unknown("https://esa.int/licence".to_owned(), None));
        for bad in ["MIT OR Apache-2.0", "free for all", "javascript://x", "", "ftp://x/y"] {
            assert_eq!(licence(bad), Licence::Invalid, "{bad}");
        }
    }
}
