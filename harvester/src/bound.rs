//! What a source remembers holds for the mappings that it was read with.

use futures::future::BoxFuture;

use crate::source::{Cursor, Outcome, Sink, Source};

/// Where a cursor's state keeps what stands for the mappings.
const MAPPINGS: &str = "mappings";

/// A source that is read from its beginning when the mappings are others than in the last run: what it says may be the same,
/// and yet other records are made of it.
#[derive(Debug)]
pub(crate) struct Bound {
    /// The source itself.
    pub(crate) source: Box<dyn Source>,
    /// Stands for the mappings.
    pub(crate) digest: String,
}

impl Source for Bound {
    fn harvest<'a>(&'a self, from: Cursor, sink: &'a Sink) -> BoxFuture<'a, Outcome> {
        let is_of_these = from.state.get(MAPPINGS).and_then(|kept| kept.as_str()) == Some(self.digest.as_str());
        // Where an interrupted run goes on is given only to who reads with the same mappings.
        let from = if is_of_these { from } else { Cursor { position: from.position, ..Cursor::default() } };
        Box::pin(async move {
            let mut outcome = self.source.harvest(from, sink).await;
            // Who remembers nothing needs no such note.
            if let Some(state) = outcome.cursor.state.as_object_mut() {
                state.insert(MAPPINGS.to_owned(), self.digest.clone().into());
            }
            outcome
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use serde_json::json;

    use super::*;
    use crate::source::Coverage;
    use crate::{Mapping, Mappings};

    /// Says that nothing changed to whoever remembers it, and everything to whoever does not.
    #[derive(Debug)]
    struct Remembering;

    impl Source for Remembering {
        fn harvest<'a>(&'a self, from: Cursor, _: &'a Sink) -> BoxFuture<'a, Outcome> {
            let coverage = if from.state["tag"] == "1" { Coverage::Unchanged } else { Coverage::Complete };
            let cursor = Cursor { state: json!({ "tag": "1" }), ..Cursor::default() };
            Box::pin(async move { Outcome { coverage, cursor, pages: 1, bytes: 1, expected: None } })
        }
    }

    #[tokio::test]
    async fn what_is_remembered_holds_until_a_mapping_changes() {
        let mapping = |title: &str| {
            let about = format!("title = \"{title}\"\nkind = \"Dataset\"\n");
            let construct =
                "PREFIX sdo: <https://schema.org/> CONSTRUCT { ?record sdo:name ?n } WHERE { ?record <urn:n> ?n }";
            Mapping::new("mine", &about, r#"{"@context":{"n":"urn:n"}}"#, construct).unwrap()
        };
        let mut mappings = Mappings::shipped().unwrap();
        mappings.add(mapping("One"));
        let bound = |mappings: &Mappings| Bound { source: Box::new(Remembering), digest: mappings.digest() };
        let (sink, _items) = Sink::channel();
        let first = bound(&mappings).harvest(Cursor::default(), &sink).await;
        let second = bound(&mappings).harvest(first.cursor.clone(), &sink).await;
        assert_eq!((first.coverage, second.coverage), (Coverage::Complete, Coverage::Unchanged));
        mappings.add(mapping("Two"));
        let third = bound(&mappings).harvest(second.cursor, &sink).await;
        let fourth = bound(&mappings).harvest(third.cursor, &sink).await;
        assert_eq!((third.coverage, fourth.coverage), (Coverage::Complete, Coverage::Unchanged));
    }
}
