"""Headers that end at the gateway."""

# What a caller must not tell the backend: who it is, where it came from, which method or path is "really" meant.
REMOVED = """
    Authorization Cookie Cookie2 Origin Referer Forwarded Via Upgrade HTTP2-Settings Trailer Proxy Proxy-Authorization
    Proxy-Connection Early-Data
    X-Forwarded X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Forwarded-Port X-Forwarded-Server
    X-Forwarded-Scheme X-Forwarded-Prefix X-Forwarded-Protocol X-Forwarded-Ssl X-Forwarded-Uri X-Forwarded-Url
    X-Forwarded-Path X-Forwarded-Method X-Forwarded-By X-Forwarded-User X-Forwarded-Email X-Forwarded-Groups
    X-Forwarded-Preferred-Username X-Forwarded-Access-Token X-Forwarded-Client-Cert X-Forward-For X-Scheme
    Front-End-Https
    X-Url-Scheme X-Host X-Original-Host X-Original-URL X-Original-URI X-Original-Path X-Rewrite-URL X-Override-URL
    X-Http-Destinationurl X-HTTP-Method X-HTTP-Method-Override X-Method-Override X-Middleware-Subrequest
    X-Sendfile-Type X-Accel-Mapping X-Accel-Redirect X-Script-Name X-Proxy-User
    X-Real-IP X-Client-IP X-Cluster-Client-IP X-Originating-IP X-Remote-IP X-Remote-Addr X-ProxyUser-Ip Client-IP
    True-Client-IP Fastly-Client-IP X-Azure-ClientIP X-Envoy-External-Address X-Envoy-Original-Path
    X-Remote-User Remote-User Remote-Groups Remote-Name Remote-Email X-WebAuth-User X-Auth-Request-User
    X-Auth-Request-Email X-Auth-Request-Groups X-Auth-Request-Access-Token X-Ssl-Client-Cert
    X-Ssl-Client-Verify X-Client-Cert Ssl-Client-Cert X-Client-Verify
    CF-Connecting-IP CF-Connecting-IPv6 CF-Connecting-O2O CF-EW-Via CF-IPCountry CF-Pseudo-IPv4 CF-Ray CF-Visitor
    CF-Warp-Tag-Id CF-Worker CF-Access-Authenticated-User-Email CF-Access-Jwt-Assertion CF-Access-Client-Id
    CF-Access-Client-Secret Cdn-Loop Ngrok-Skip-Browser-Warning
""".split()  # noqa: SIM905
# What the backend must not tell a caller, or nginx itself: its make and version, its parts, inside addresses, orders to
# a proxy.
HIDDEN = """
    X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset X-Sendfile Server
    X-Powered-By X-Powered-By-Plesk X-Powered-CMS X-CF-Powered-By X-Server-Powered-By Powered-By X-AspNet-Version
    X-AspNetMvc-Version X-Application-Version X-App-Version X-Server-Version X-Product-Version X-PHP-Version
    X-OWA-Version X-Umbraco-Version X-Joomla-Version OracleCommerceCloud-Version MicrosoftSharePointTeamServices
    Liferay-Portal X-Generator X-Generated-By X-Framework X-CMS X-Mod-Pagespeed X-Page-Speed X-Jitsi-Release
    X-Runtime X-Backend X-Backend-Server X-Upstream X-Served-By X-Server X-Server-Name X-Hostname X-Host X-Node
    X-BEServer X-FEServer X-CalculatedBETarget X-DiagInfo X-Varnish X-Varnish-Backend X-Varnish-Server
    X-Envoy-Upstream-Service-Time X-Envoy-Original-Dst-Host X-Kubernetes-PF-FlowSchema-UID
    X-Kubernetes-PF-PriorityLevel-UID X-Debug-Token X-Debug-Token-Link X-ChromeLogger-Data X-SourceFiles
    SourceMap X-SourceMap Via Alt-Svc Set-Cookie Set-Cookie2 Content-Location Refresh Link
""".split()  # noqa: SIM905
