//! The viewer's groups: the developers of namespaces, and teams.

use catalog_schemas::account::Role;
use catalog_schemas::group::{Group, GroupKind, Member, Rank};
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::link::segment;
use crate::part::notice::{Tone, notice};
use crate::viewer::Viewer;
use crate::words;

/// Returns the page; `refused` says why the last change was not made.
pub fn groups(viewer: &Viewer, groups: &[Group], all: bool, refused: Option<&str>) -> Document {
    let me = viewer.me.account.clone().unwrap_or_default();
    let refused = refused.map(|message| notice(Tone::Bad, view! { <p>{message.to_owned()}</p> }));
    let of = |kind: GroupKind| -> Vec<AnyView> {
        groups.iter().filter(|group| group.kind == kind).map(|group| one(group, &me, viewer.me.role)).collect()
    };
    let (namespaces, teams) = (of(GroupKind::Namespace), of(GroupKind::Team));
    let none = |kind: &'static str| view! { <p class="quiet">{format!("You are in no {kind}.")}</p> };
    let no_namespace = namespaces.is_empty().then(|| none("namespace"));
    let no_team = teams.is_empty().then(|| none("team"));
    let whose = (viewer.me.role >= Role::Administrator).then(|| {
        if all {
            view! { <p><a href="/groups">"Only yours"</a></p> }.into_any()
        } else {
            view! { <p><a href="/groups?all=true">"All groups"</a></p> }.into_any()
        }
    });
    let main = view! {
        <h1>"Namespaces and teams"</h1>
        <p class="quiet">"Whoever is in a namespace publishes into it. Teams share volumes, and may be named by what is not for everybody."</p>
        {refused}{whose}
        <h2>"Namespaces"</h2>
        {no_namespace}{namespaces}
        <h2>"Teams"</h2>
        {no_team}{teams}
        <form class="form sheet" method="post" action="/groups">
            <h2>"Take a namespace, or make a team"</h2>
            <div class="two">
                <label>"Kind"<select name="kind"><option value="namespace">"Namespace"</option><option value="team">"Team"</option></select></label>
                <label>"Name"<input name="name" required maxlength="120" autocomplete="off" autocapitalize="none" spellcheck="false"/></label>
                <label>"Title "<span class="quiet small">"optional, for a team"</span><input name="title" maxlength="100" autocomplete="off"/></label>
            </div>
            <div class="actions"><button>"Make it"</button></div>
        </form>
    };
    let mut document = Document::new("Namespaces and teams", Place::Elsewhere, Layout::Narrow, main);
    document.unlisted = true;
    document
}

fn one(group: &Group, me: &str, role: Role) -> AnyView {
    let own = group.member(me);
    let owns = own.is_some_and(|member| member.accepted && member.rank == Rank::Owner) || role >= Role::Administrator;
    let base = format!("/groups/{}/{}", group.kind.as_str(), segment(&group.name));
    let invited = own.is_some_and(|member| !member.accepted).then(|| {
        let accept = format!("{base}/accept");
        notice(
            Tone::Plain,
            view! {
                <p>"You are invited."</p>
                <form method="post" action=accept><button class="primary">"Accept"</button></form>
            },
        )
    });
    let rows: Vec<_> = group.members.iter().map(|member| row(group, member, me, owns, &base)).collect();
    let invite = owns.then(|| {
        let action = format!("{base}/members");
        view! {
            <form class="inline" method="post" action=action>
                <label>"Invite "<input name="account" required maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false"/></label>
                <label>"as "<select name="rank"><option value="member">"member"</option><option value="owner">"owner"</option></select></label>
                <button>"Invite"</button>
            </form>
        }
    });
    let title = group.title.clone().map(|title| view! { <p class="quiet">{title}</p> });
    let label = format!("Members of {}", group.name);
    view! {
        <section class="sheet">
            <h3 class="mono">{group.name.clone()}</h3>
            {title}{invited}
            <div class="table" role="region" tabindex="0" aria-label=label><table>
                <thead><tr><th scope="col">"Account"</th><th scope="col">"Rank"</th><th scope="col">"Since"</th><th scope="col"><span class="unseen">"Change"</span></th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
            {invite}
        </section>
    }
    .into_any()
}

fn row(group: &Group, member: &Member, me: &str, owns: bool, base: &str) -> AnyView {
    let state = match (&member.provider, member.accepted) {
        (Some(provider), _) => format!("by {provider}"),
        (None, true) => words::day(&member.added),
        (None, false) => "invited".to_owned(),
    };
    let is_me = member.account == me;
    let other = if member.rank == Rank::Owner { Rank::Member } else { Rank::Owner };
    let rank = owns.then(|| {
        let (action, name) = (format!("{base}/members"), format!("Make {}: {}", other.as_str(), member.account));
        view! {
            <form method="post" action=action>
                <input type="hidden" name="account" value=member.account.clone()/>
                <button class="small" name="rank" value=other.as_str() aria-label=name>{format!("Make {}", other.as_str())}</button>
            </form>
        }
    });
    let remove = (owns || is_me).then(|| {
        let action = format!("{base}/members/{}/remove", segment(&member.account));
        let word = if is_me { "Leave" } else { "Remove" };
        let name = if is_me { format!("Leave {}", group.name) } else { format!("Remove {}", member.account) };
        view! { <form method="post" action=action><button class="small" aria-label=name>{word}</button></form> }
    });
    view! {
        <tr>
            <th scope="row">{member.account.clone()}</th>
            <td>{member.rank.as_str()}</td>
            <td>{state}</td>
            <td><div class="actions">{rank}{remove}</div></td>
        </tr>
    }
    .into_any()
}
