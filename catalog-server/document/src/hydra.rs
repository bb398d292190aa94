//! Pages of a collection, in the words of Hydra.

use oxrdf::Triple;

use crate::statements::namespace::HYDRA;
use crate::statements::{Statements, term};

/// One page among others.
#[derive(Debug, Clone)]
pub struct Page {
    /// The collection's IRI.
    pub collection: String,
    /// The page's own address.
    pub page: String,
    /// The first page's address.
    pub first: String,
    /// The address of the page before.
    pub previous: Option<String>,
    /// The address of the page after.
    pub next: Option<String>,
    /// Members of the whole collection.
    pub total: u64,
    /// Members of a full page.
    pub size: u64,
}

/// Returns the links between pages.
///
/// Both vocabularies are spoken: `hydra:view` of today, and `hydra:PagedCollection` with `hydra:nextPage`, which
/// harvesters of DCAT learned first.
pub fn page(page: &Page) -> Vec<Triple> {
    let mut out = Statements::new();
    out.a(&page.collection, &term(HYDRA, "Collection"));
    out.number(&page.collection, &term(HYDRA, "totalItems"), page.total);
    out.iri(&page.collection, &term(HYDRA, "view"), &page.page);
    out.a(&page.page, &term(HYDRA, "PartialCollectionView"));
    out.a(&page.page, &term(HYDRA, "PagedCollection"));
    out.number(&page.page, &term(HYDRA, "totalItems"), page.total);
    out.number(&page.page, &term(HYDRA, "itemsPerPage"), page.size);
    let links = [
        ("first", "firstPage", Some(&page.first)),
        ("previous", "previousPage", page.previous.as_ref()),
        ("next", "nextPage", page.next.as_ref()),
    ];
    for (today, before, address) in links {
        if let Some(address) = address {
            out.iri(&page.page, &term(HYDRA, today), address);
            out.iri(&page.page, &term(HYDRA, before), address);
        }
    }
    out.into_triples()
}
