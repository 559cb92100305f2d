use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::router::ApiState;
use crate::{rest, signal};

/// The OpenAPI 3.1 description of the HTTP API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    api_router().into_openapi()
}

/// The API's routes, with their description.
pub(crate) fn api_router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(rest::create_meeting))
        .routes(routes!(rest::meeting))
        .routes(routes!(rest::server))
        .routes(routes!(rest::document))
        .routes(routes!(signal::signal))
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Conclave",
        description = "Meetings of a Conclave server. Names, titles and secrets stay with the \
            clients: the server sees sealed bytes and digests.",
        license(name = "EUPL-1.2", identifier = "EUPL-1.2"),
    ),
    servers((url = "/")),
    tags(
        (name = "meetings", description = "Create a meeting, and ask after one"),
        (name = "signalling", description = "Take part in a call"),
        (name = "server", description = "What the server speaks"),
    ),
    modifiers(&LinkToken),
)]
struct Document;

/// Describes the bearer token.
struct LinkToken;

impl Modify for LinkToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("Base64url of the 32 bytes derived from the link's secret."))
            .build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("linkToken", SecurityScheme::Http(scheme));
    }
}

/// The forms of bodies, for the description only: the types themselves are of the wire crate,
/// which knows nothing of HTTP. A test keeps the two alike.
pub(crate) mod schema {
    use utoipa::ToSchema;

    /// A new meeting. The client makes id, secret and policy.
    #[derive(ToSchema)]
    #[schema(rename_all = "camelCase")]
    #[expect(dead_code, reason = "read by the derived description alone")]
    pub(crate) struct CreateMeeting {
        /// 128 random bits, as 22 characters of unpadded base64url.
        #[schema(min_length = 22, max_length = 22)]
        id: String,
        /// Base64url of the SHA-256 of the token derived from the link secret.
        #[schema(min_length = 43, max_length = 43)]
        token_hash: String,
        /// The title, sealed under a key derived from the link; unpadded base64url.
        #[schema(max_length = 5462)]
        sealed_title: String,
        /// The constitution: JSON text in its one form, whose digest is in the link. It names this
        /// meeting and this server's `nodeKey`, and no jurisdictions but such as have this
        /// server's among them. The server keeps it as it is.
        #[schema(max_length = 8192)]
        policy: String,
    }

    /// A meeting, for who holds its link.
    #[derive(ToSchema)]
    #[schema(rename_all = "camelCase")]
    #[expect(dead_code, reason = "read by the derived description alone")]
    pub(crate) struct MeetingInfo {
        /// The title, sealed under a key derived from the link; unpadded base64url.
        sealed_title: String,
        /// The policy as it was created. The client compares its digest with the link's.
        policy: String,
        /// How many are in the call now.
        participants: u32,
        /// What the server's operator wants cameras to be sent in: `auto`, `vp8` or `vp9`. A wish:
        /// who cannot sends VP8.
        camera_codec: String,
    }

    /// A server.
    #[derive(ToSchema)]
    #[schema(rename_all = "camelCase")]
    #[expect(dead_code, reason = "read by the derived description alone")]
    pub(crate) struct ServerInfo {
        /// The signalling protocol it speaks.
        protocol_version: u16,
        /// The build's version.
        version: String,
        /// The most participants of one call.
        max_participants: u32,
        /// The Ed25519 key that signs the statements of its media nodes, base64url of 32 bytes:
        /// what a new meeting's constitution names.
        #[schema(min_length = 43, max_length = 43)]
        node_key: String,
        /// Where its media nodes are: two capital letters of ISO 3166-1, if the operator has said.
        jurisdiction: Option<String>,
        /// Where it takes media, shard by shard. Each call is on one of them.
        media: Vec<MediaShard>,
        /// The ways to its TURN server, which reaches all shards; none if it has no such server.
        relay: Vec<RelayWay>,
    }

    /// Where a part of a server takes the media of its calls, best first, as clients are told in
    /// answers. A STUN binding request of 44 bytes or more that names no session is answered
    /// there: so anybody can find out whether it is reached.
    #[derive(ToSchema)]
    #[schema(rename_all = "camelCase")]
    #[expect(dead_code, reason = "read by the derived description alone")]
    pub(crate) struct MediaShard {
        /// Its UDP addresses: `ADDRESS:PORT`.
        udp: Vec<String>,
        /// Its TCP addresses. That of the HTTPS port is every shard's.
        tcp: Vec<String>,
    }

    /// A way to the TURN server, at the host of this API.
    #[derive(ToSchema)]
    #[schema(rename_all = "camelCase")]
    #[expect(dead_code, reason = "read by the derived description alone")]
    pub(crate) struct RelayWay {
        /// What carries TURN: `tcp`, `tls` or `udp`.
        protocol: String,
        /// The port.
        port: u16,
    }
}
