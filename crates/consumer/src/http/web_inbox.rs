//! `GET /`: the web inbox, and `/client.js`, what it is built on.

use std::future::ready;
use std::hash::{DefaultHasher, Hash, Hasher};

use actix_web::HttpResponse;
use actix_web::http::header::{self, EntityTag, IfNoneMatch};
use actix_web::web::{self, Header, ServiceConfig};
use service::{get, method_not_allowed};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const TS: &str = "application/typescript; charset=utf-8";

/// A file as it is served.
struct File {
    path: &'static str,
    content_type: &'static str,
    text: &'static str,
}

const fn file(path: &'static str, content_type: &'static str, text: &'static str) -> File {
    File { path, content_type, text }
}

/// All of them: the program is one file.
const FILES: [File; 30] = [
    file("/", HTML, include_str!("../../web/index.html")),
    file("/app.css", CSS, include_str!("../../web/app.css")),
    file("/app.js", JS, include_str!("../../web/app.js")),
    file("/client.d.ts", TS, include_str!("../../web/client.d.ts")),
    file("/client.js", JS, include_str!("../../web/client.js")),
    file("/app/composer.js", JS, include_str!("../../web/app/composer.js")),
    file("/client/card.js", JS, include_str!("../../web/client/card.js")),
    file("/client/changes.js", JS, include_str!("../../web/client/changes.js")),
    file("/client/dom.js", JS, include_str!("../../web/client/dom.js")),
    file("/client/error.js", JS, include_str!("../../web/client/error.js")),
    file("/client/event-log.js", JS, include_str!("../../web/client/event-log.js")),
    file("/client/feed.js", JS, include_str!("../../web/client/feed.js")),
    file("/client/folded-list.js", JS, include_str!("../../web/client/folded-list.js")),
    file("/client/inbox-element.js", JS, include_str!("../../web/client/inbox-element.js")),
    file("/client/inbox-view.js", JS, include_str!("../../web/client/inbox-view.js")),
    file("/client/inbox.js", JS, include_str!("../../web/client/inbox.js")),
    file("/client/list-view.js", JS, include_str!("../../web/client/list-view.js")),
    file("/client/notices.js", JS, include_str!("../../web/client/notices.js")),
    file("/client/notify-client.js", JS, include_str!("../../web/client/notify-client.js")),
    file("/client/pages.js", JS, include_str!("../../web/client/pages.js")),
    file("/client/pending-commands.js", JS, include_str!("../../web/client/pending-commands.js")),
    file("/client/position.js", JS, include_str!("../../web/client/position.js")),
    file("/client/retry.js", JS, include_str!("../../web/client/retry.js")),
    file("/client/sse.js", JS, include_str!("../../web/client/sse.js")),
    file("/client/storage.js", JS, include_str!("../../web/client/storage.js")),
    file("/client/stream.js", JS, include_str!("../../web/client/stream.js")),
    file("/client/styles.js", JS, include_str!("../../web/client/styles.js")),
    file("/client/time.js", JS, include_str!("../../web/client/time.js")),
    file("/client/toast.js", JS, include_str!("../../web/client/toast.js")),
    file("/client/undo.js", JS, include_str!("../../web/client/undo.js")),
];

/// What the page may do: run and show what is served here, and ask here. Nobody frames it, and a message
/// that became markup would still run nothing.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

pub(super) fn routes(config: &mut ServiceConfig) {
    for file in &FILES {
        let tag = tag_of(file.text);
        let serve = move |known: Header<IfNoneMatch>| ready(serve(file, &tag, &known));
        let only_get = method_not_allowed("GET, HEAD");
        let resource = web::resource(file.path).route(get().to(serve)).default_service(only_get);
        config.service(resource);
    }
}

/// A browser asks each time, and is told that it has it already: what is new after an update is used at
/// once, all of it.
fn serve(file: &'static File, tag: &EntityTag, known: &IfNoneMatch) -> HttpResponse {
    let is_known = match known {
        IfNoneMatch::Any => true,
        IfNoneMatch::Items(tags) => tags.iter().any(|known| known.weak_eq(tag)),
    };
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer
        .insert_header((header::ETAG, tag.to_string()))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if file.content_type == HTML {
        answer
            .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
            .insert_header((header::REFERRER_POLICY, "no-referrer"));
    }
    if is_known { answer.finish() } else { answer.content_type(file.content_type).body(file.text) }
}

fn tag_of(text: &str) -> EntityTag {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    EntityTag::new_strong(format!("{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn files_below(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries
            .flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] })
            .collect()
    }

    #[test]
    fn every_file_that_the_page_may_load_is_served() {
        let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        let is_served = |path: &str| {
            !path.starts_with("test/")
                && !path.ends_with(".json")
                && !path.starts_with("node_modules")
        };
        let found: BTreeSet<_> = files_below(&web)
            .iter()
            .map(|path| path.strip_prefix(&web).unwrap().to_str().unwrap().to_owned())
            .filter(|path| is_served(path))
            .map(|path| if path == "index.html" { "/".to_owned() } else { format!("/{path}") })
            .collect();
        let served: BTreeSet<_> = FILES.iter().map(|file| file.path.to_owned()).collect();
        assert_eq!(served, found);
    }
}
