"""The words that give an operation away, as data: by what they mean and where they have to stand.

A word in the path weighs most, then the id, then the summary; a description only counts with a phrase that leaves no
doubt. Words are lower case and without accents; pieces of text may be of any script.
"""

from dataclasses import dataclass

from exposer.openapi.model import Level


@dataclass(frozen=True, slots=True)
class Sign:
    """What makes an operation risky, and the words that show it.
    path: a word of a path segment, or of the id.   ends: the last word of a segment.   segments: a whole segment.
    summary: a word of the summary.   pieces: text inside the summary.   phrases: also inside the description.
    """

    reason: str
    level: Level = Level.DANGER
    path: frozenset[str] = frozenset()
    ends: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    summary: frozenset[str] = frozenset()
    pieces: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SIGNS = (
    Sign(
        "it has to do with signing in, sessions or tokens",
        path=_words(
            "auth oauth oidc saml sso ldap jwt login logins logout logoff signin signout signup register authorize"
            " authenticate authentication authorization token tokens totp mfa otp passkey passkeys webauthn captcha"
            " impersonate impersonation callback credential credentials password passwords passwd passphrase passwort"
            " kennwort anmelden contrasena connexion"
        ),
        segments=_words("2fa session twofactor twofactorauth"),
        summary=_words("login logout password passwords passwort kennwort contrasena oauth totp"),
        pieces=(
            *(
                "登录",
                "登陆",
                "登入",
                "注销",
                "授权",
                "令牌",
                "密码",
                "鉴权",
                "身份验证",
                "登録",
                "ログイン",
                "ログアウト",
            ),
            *(
                "認証",
                "パスワード",
                "トークン",
                "로그인",
                "로그아웃",
                "비밀번호",
                "인증",
                "토큰",
                "парол",
                "токен",
                "авториз",
            ),
            *("mot de passe", "iniciar sesion", "cerrar sesion", "sign in", "sign out", "log in ", "log out"),
        ),
    ),
    Sign(
        "it hands out keys or secrets",
        path=_words(
            "secret secrets apikey apikeys privatekey privatekeys keyring keystore unlockkey cryptokeys tsigkeys vault"
            " geheimnis secreto"
        ),
        pieces=(
            "密钥",
            "秘钥",
            "私钥",
            "秘密鍵",
            "シークレット",
            "비밀키",
            "секрет",
            "api key",
            "api-key",
            "private key",
        ),
    ),
    Sign(
        "it is about settings",
        path=_words(
            "setting settings config configs configuration configurations preference preferences prefs conf dotenv"
            " einstellung einstellungen konfiguration parametres ajustes configuracion"
        ),
        summary=_words("settings preferences einstellungen parametres ajustes configuracion konfiguration"),
        pieces=("设置", "配置", "偏好", "首选项", "設定", "설정", "настройк", "конфигурац"),
    ),
    Sign(
        "it is for administrators",
        path=_words("admin admins administrator administration superuser sudo debug pprof actuator verwaltung"),
        segments=_words("management manage accesscontrol rbac"),
        pieces=("管理员", "管理者", "관리자", "админ"),
    ),
    Sign(
        "it restarts or stops something",
        path=_words("restart reboot shutdown poweroff halt terminate kill neustart redemarrer reiniciar"),
        pieces=("重启", "关机", "关闭服务", "再起動", "재시작", "перезапус", "выключ"),
    ),
    Sign(
        "it exports, backs up or downloads data",
        path=_words(
            "backup backups dump dumps restore takeout teleporter exporter exportieren exportar sicherung sauvegarde"
            " respaldo herunterladen telecharger descargar"
        ),
        ends=_words("export download"),
        pieces=(
            *(
                "导出",
                "备份",
                "下载",
                "打包",
                "エクスポート",
                "バックアップ",
                "ダウンロード",
                "내보내기",
                "백업",
                "다운로드",
            ),
            *("экспорт", "резервн", "скача", "copia de seguridad"),
        ),
    ),
    Sign(
        "it runs a query, code or a command of the caller's",
        path=_words("sql graphql cypher eval exec shell console rpc jsonrpc xmlrpc repl portforward"),
        ends=_words("terminal terminals"),
        segments=_words("execute attach"),
        summary=_words("sql cypher"),
        pieces=("执行命令", "执行脚本", "コマンド実行"),
    ),
    Sign(
        "it opens the raw database",
        path=_words("databases db datenbank"),
        pieces=("数据库", "データベース", "데이터베이스", "база данных", "базы данных"),
    ),
    Sign(
        "it passes calls on to somewhere else",
        path=_words("proxy imageproxy reverseproxy"),
        segments=_words("fetch crawl scrape"),
    ),
    Sign(
        "it acts on the machine, or shows its folders",
        path=_words("reveal clipboard screenshot screenshots filesystem"),
        segments=_words("openurl openlink openfile openfolder browsefolder browsefiles"),
        pieces=("调起", "文件夹选择", "浏览器打开", "保存目录", "ファイル選択"),
        phrases=("数据目录", "data directory", "data folder", "file dialog", "native dialog", "folder picker"),
    ),
    Sign(
        "it streams without end",
        path=_words("sse websocket websockets ws hls vod mjpeg livestream"),
        ends=_words("stream streaming"),
        summary=_words("sse websocket"),
        pieces=("流式", "ストリーミング", "스트리밍"),
        phrases=("live stream", "server-sent event", "event stream"),
    ),
    Sign(
        "it makes a language model or another long job run",
        path=_words("diagnostics diagnostic diagnose benchmark speedtest reindex recompute cron delay drip sleep"),
        ends=_words(
            "completion completions transcribe transcription summarize inference predict generate embedding embeddings"
        ),
        pieces=("诊断", "診断", "진단", "диагност", "生成报告"),
        phrases=("language model", "大模型", "大语言模型"),
    ),
    Sign("it lists exports", Level.CAUTION, ends=_words("exports downloads archive archives snapshot snapshots")),
    Sign("it is a free query", Level.CAUTION, ends=_words("query browse"), path=_words("database")),
    Sign("it has to do with sessions", Level.CAUTION, path=_words("session sessions")),
    Sign("it shows log lines", Level.CAUTION, ends=_words("log logs audit auditlog querylog syslog dmesg")),
    Sign(
        "it shows where messages are sent",
        Level.CAUTION,
        path=_words("webhook webhooks hook hooks smtp notifier notifiers"),
    ),
    Sign("it has to do with a language model", Level.CAUTION, path=_words("ai llm gpt chatbot rag chat")),
    Sign(
        "it is about rights or internals",
        Level.CAUTION,
        path=_words("permission permissions role roles access security licensing internal variables"),
        summary=_words("admin administrator administrators configuration"),
        phrases=(
            *("admin role required", "requires elevated", "admin privileges", "must be an admin", "admin only"),
            *("must be an organization owner", "download link", "administrators only"),
        ),
    ),
)

# A GET with such a verb does something. Those of the second table are nouns as well.
VERBS = _words(
    "delete remove clear purge reset flush restart reboot shutdown cancel abort send resend trigger execute reload"
    " rescan create enable disable activate deactivate revoke regenerate unsubscribe invite toggle rotate kick ban"
    " install uninstall checknew reinstall refresh unlock approve reject download export generate rebuild initiate"
    " redirect loschen supprimer eliminar borrar senden envoyer enviar"
)
MAYBE_VERBS = _words("test start stop run sync scan import upload set pause resume mark print open subscribe move")
ARTICLES = _words("a an the all one new your and or for this")
# These are never nouns, whatever follows.
PLAIN_VERBS = _words("delete remove clear purge reset flush restart reboot shutdown cancel abort revoke send")
# After these words a verb is a noun: `sync-status`, `import-lists`, `scan/history`.
NOUNS = _words(
    "status state history list lists log logs info count limits settings result results summary job jobs queue"
    " progress types type template templates schema events stats"
)
ALSO = ("download", "delete", "remove", "update", "create", "send", "start", "run", "restart", "clear", "reset")
FIRST_PIECES = (
    *(
        "删除",
        "清除",
        "清空",
        "重置",
        "发送",
        "触发",
        "执行",
        "启动",
        "停止",
        "取消",
        "创建",
        "新增",
        "添加",
        "修改",
        "更新",
    ),
    *("撤销", "测试", "保存", "上传", "开始", "构建", "跳转", "削除", "送信", "更新", "삭제", "удал", "отправ"),
)

ASKING_FIRST = _words("search find get list lookup")
# A POST that only asks says so with such a word.
ASKING = _words("search query lookup find filter list get count parse evaluate retrieve suche buscar rechercher")
ASKING_PIECES = ("搜索", "查询", "检索", "検索", "검색", "поиск")

# What a model is asked for when it writes; and what is only a record of that.
MODEL = _words("ai llm gpt")
RECORDS = _words("status stats usage history search list conversations sessions progress count facts models tools")
RECORD_PIECES = ("用量", "统计", "状态", "历史", "对话", "列表", "进度", "查询")

HEALTH = _words(
    "health healthz healthcheck status ping version versions info about heartbeat ready readyz readiness live livez"
    " liveness liveliness alive uptime buildinfo gotifyinfo up systeminfo serverinfo __heartbeat__"
)
SEARCH = _words("search find lookup suggest autocomplete query suche buscar rechercher")
SEARCH_PIECES = ("搜索", "检索", "検索", "검색", "поиск")

# Names of parameters, without "_" and "-".
URL_NAMES = _words(
    "url uri link href rssfeed src imageurl feedurl remoteurl targeturl sourceurl webhookurl callbackurl"
)
URL_ENDINGS = ("url", "uri")
WAY_BACK = ("redirect", "return", "next", "back", "success", "cancel", "base", "public", "origin")
CODE_NAMES = _words("sql sqlstatement cmd command script shell eval")
SESSION_OF = _words("user users me self auth account accounts my")  # theirs who have signed in
VERSIONS = _words("api rest v")
SECRET_WORDS = _words("secret secrets password passwords unmask unmasked decrypt plaintext")
PLACE_NAMES = _words("path paths filepath file folder directory dir")
PLACE_PIECES = ("filesystem", "browse", "scan", "import", "explore", "mount", "disk", "folder", "director", "probe")
ANY_PATH = ("route", "proxy", "wildcard", "splat", "catchall")
FOLLOW_NAMES = _words("stream follow watch live")
PAGE_NAMES = _words(
    "limit page pagesize perpage size count offset cursor top first last max maxresults take skip start after before"
    " startingafter endingbefore pagetoken since from n rows length"
)
FILE_NAMES = _words("filename filepath file asset path imagename")

# Properties of an answer that are secrets, without "_" and "-".
SECRET_PROPERTIES = _words(
    "token accesstoken refreshtoken authtoken sessiontoken apitoken apikey secretkey privatekey secret clientsecret"
    " password passwd passphrase licensekey activationkey otpsecret totpsecret"
)
# Longer names that end in one of these are secrets too, unless they only turn the page or the like.
SECRET_ENDINGS = ("token", "secret", "password", "apikey", "privatekey")
HARMLESS = ("page", "continu", "clone", "csrf", "xsrf", "synctoken", "cursor", "resume", "cancel")
HARMLESS_STARTS = ("next", "max", "has", "is")
KEY_OF = _words(
    "api auth access private secret license licence encryption unlock master service deploy signing join ssh machine"
    " app client virtual"
)
PUBLIC_KEYS = _words("gpg ssh public pub")

FILE_SEGMENTS = _words(
    "image thumbnail thumb avatar cover photo picture icon logo poster original raw file qrcode pdf render zip tar"
    " tarball zipball archive snapshot content artwork video audio favicon clip"
)
FILE_FORMATS = _words("pdf pdfs png jpg jpeg svg zip tar csv xlsx mp4")
FILE_ENDINGS = _words(
    "jpg jpeg png gif webp svg ico bmp avif mp4 webm mkv avi mov m3u8 ts mp3 flac ogg wav zip tar gz tgz 7z rar pdf"
    " epub csv xlsx xls docx ics iso bin exe apk db sqlite js css html map woff woff2 mobileconfig"
)
TEXT_ENDINGS = _words("txt xml yaml yml md rss atom opml extension ext format")
