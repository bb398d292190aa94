//! Reading a request of the SPARQL 1.1 Protocol.

use bytes::Bytes;
use catalog_graph::QueryDataset;
use http::{HeaderMap, StatusCode, header};

use crate::http::problem::Failure;

/// The longest query text, in bytes; the protocol around it has room beside.
const MAX_QUERY: usize = 256 * 1024;

/// The most graphs that a request may name.
const MAX_GRAPHS: usize = 1_000;

/// A query, and how it is to be answered.
#[derive(Debug)]
pub(super) struct AskedQuery {
    /// Its text.
    pub(super) text: String,
    /// The dataset that is named beside it.
    pub(super) dataset: QueryDataset,
    /// Whether the general evaluator is wanted alone, to compare with.
    pub(super) plain: bool,
}

/// What a request asks, wherever the protocol allows it to say so.
#[derive(Debug, Default)]
pub(in crate::http) struct Parameters {
    query: Option<String>,
    dataset: QueryDataset,
    is_update: bool,
    plain: bool,
}

impl Parameters {
    /// Reads a request without a body.
    pub(in crate::http) fn of_query_string(encoded: Option<&str>) -> Result<Self, Failure> {
        let mut parameters = Self::default();
        parameters.read(encoded.unwrap_or_default().as_bytes())?;
        Ok(parameters)
    }

    /// Reads a request with a body: a form, or a query as it is (protocol, sections 2.1.2 and 2.1.3).
    pub(in crate::http) fn of_body(encoded: Option<&str>, headers: &HeaderMap, body: &Bytes) -> Result<Self, Failure> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (essence, rest) = content_type.split_once(';').unwrap_or((content_type, ""));
        match essence.trim().to_ascii_lowercase().as_str() {
            "application/x-www-form-urlencoded" => {
                is_utf8(rest)?;
                // The dataset belongs into the body here; clients that put it into the address are understood, too.
                let mut parameters = Self::of_query_string(encoded)?;
                parameters.read(body)?;
                Ok(parameters)
            }
            "application/sparql-query" => {
                let mut parameters = Self::of_query_string(encoded)?;
                if parameters.query.is_some() {
                    return Err(twice());
                }
                parameters.query = Some(text(rest, body)?);
                Ok(parameters)
            }
            "application/sparql-update" => Ok(Self { is_update: true, ..Self::default() }),
            other => Err(Failure::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "query.media_type",
                "the body has the wrong type",
                format!("`{other}` is not application/sparql-query or application/x-www-form-urlencoded"),
            )),
        }
    }

    fn read(&mut self, encoded: &[u8]) -> Result<(), Failure> {
        // What is no UTF-8 would be read with other characters in its place, and another query be answered.
        if let Err(error) = percent_encoding::percent_decode(encoded).decode_utf8() {
            return Err(Failure::bad_request("query.encoding", format!("a parameter is not UTF-8: {error}")));
        }
        for (name, value) in form_urlencoded::parse(encoded) {
            match name.as_ref() {
                "query" if self.query.is_some() => return Err(twice()),
                "query" => self.query = Some(value.into_owned()),
                "default-graph-uri" => self.dataset.default_graphs.push(value.into_owned()),
                "named-graph-uri" => self.dataset.named_graphs.push(value.into_owned()),
                "update" => self.is_update = true,
                "evaluator" => self.plain = value == "plain",
                // Other parameters, such as a client's own `format`, mean nothing here (protocol, section 2.1).
                _ => {}
            }
        }
        let graphs = self.dataset.default_graphs.len() + self.dataset.named_graphs.len();
        if graphs > MAX_GRAPHS {
            let detail = format!("the request names {graphs} graphs; at most {MAX_GRAPHS} are read");
            return Err(Failure::bad_request("query.too_many_graphs", detail));
        }
        Ok(())
    }

    /// Says whether nothing is asked, so that the service describes itself.
    pub(super) fn is_empty(&self) -> bool {
        self.query.is_none() && !self.is_update
    }

    /// Returns the query.
    pub(super) fn into_query(self) -> Result<AskedQuery, Failure> {
        if self.is_update {
            return Err(Failure::forbidden("this endpoint only reads; records change through /api/v1/packages"));
        }
        let missing = || Failure::bad_request("query.missing", "there is no `query`");
        let text = self.query.ok_or_else(missing)?;
        if text.len() > MAX_QUERY {
            let detail = format!("the query is {} bytes long; at most {MAX_QUERY} are read", text.len());
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return Err(Failure::new(status, "query.too_long", "the query is too long", detail));
        }
        Ok(AskedQuery { text, dataset: self.dataset, plain: self.plain })
    }
}

fn twice() -> Failure {
    Failure::bad_request("query.twice", "`query` is there twice; send one query")
}

/// Reads a query that is a body: SPARQL is UTF-8 (SPARQL 1.1 Query, section 19.1).
fn text(parameters: &str, body: &Bytes) -> Result<String, Failure> {
    is_utf8(parameters)?;
    let text = std::str::from_utf8(body);
    let text =
        text.map_err(|error| Failure::bad_request("query.encoding", format!("the query is not UTF-8: {error}")))?;
    Ok(text.to_owned())
}

/// Refuses a body whose media type says that it is written in another encoding.
fn is_utf8(parameters: &str) -> Result<(), Failure> {
    let mut named = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let charset = named.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    if let Some((_, charset)) = charset
        && !matches!(charset.trim().trim_matches('"').to_ascii_lowercase().as_str(), "utf-8" | "utf8" | "us-ascii")
    {
        let detail = format!("the query is said to be in `{charset}`; send it as UTF-8");
        return Err(Failure::bad_request("query.encoding", detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_utf_8_is_refused_and_not_guessed() {
        let form = |media_type: &'static str, body: &'static str| {
            let headers = [(header::CONTENT_TYPE, http::HeaderValue::from_static(media_type))].into_iter().collect();
            Parameters::of_body(None, &headers, &Bytes::from_static(body.as_bytes())).map(|read| read.query)
        };
        let plain = "application/x-www-form-urlencoded";
        assert_eq!(form(plain, "query=%22caf%C3%A9%22").ok().flatten().as_deref(), Some("\"café\""));
        for wrong in ["query=%22caf%E9%22", "query=%C3&x=%A9", "default-graph-uri=%FF"] {
            assert!(form(plain, wrong).is_err(), "{wrong}");
            assert!(Parameters::of_query_string(Some(wrong)).is_err(), "{wrong}");
        }
        assert!(form("application/x-www-form-urlencoded; charset=UTF-8", "query=ASK").is_ok());
        assert!(form("application/x-www-form-urlencoded; charset=iso-8859-1", "query=ASK").is_err());
        assert!(form("application/sparql-query;charset=\"utf-8\"", "ASK {}").is_ok());
        assert!(form("application/sparql-query;charset=utf-16", "ASK {}").is_err());
    }
}
