"""The rules that ship with Clinic: secrets that stand behind a name, in an address, in a statement or an option."""

from __future__ import annotations

from clinic.redact.commands import COMMANDS
from clinic.redact.keys import NOUN, SUFFIX
from clinic.redact.rule import Rule, RuleSet, Take
from clinic.redact.shapes import SHAPES
from clinic.redact.values import QUOTE, UNSEEN

_CLOSE = rf"((?:{QUOTE}){{1,2}}|&quot;|%22|)\]?"
# Blanks before the sign, the no-break one and the colours of a terminal among them.
_THIN = rf"(?:[ \t]|{UNSEEN}){{0,16}}"
_NAMED = rf"[\w.\-]{{0,64}}{NOUN}{SUFFIX}"
# A blank of SQL, also where the statement is inside a string that writes its line ends out, or has a comment.
_BLANK = r"(?:\s|\\{1,7}[nrt])"
_COMMENT = rf"/\*[^*]{{0,64}}\*/{_BLANK}{{0,16}}"
_WS = rf"(?:{_BLANK}{{1,32}}(?:{_COMMENT})?|{_COMMENT})"
_MAY = rf"{_BLANK}{{0,16}}"
_GAP = rf"{_BLANK}{{0,40}}"

_KEYS = (
    Rule(
        "key-value",
        "A value behind a name that ends in password, secret, token, credential or the like",
        rf"{NOUN}{SUFFIX}{_CLOSE}{_THIN}(:=|=>|==?|:|%3[Dd]|：)",
        Take.KEY_VALUE,
        masks=(
            ("password=hunter2 host=x", "password=*** host=x"),
            ('"password": "my \\"quoted\\" one", "a": 1', '"password": "***", "a": 1'),
            ('{\\"password\\":\\"x\\\\\\"y\\",\\"a\\":1}', '{\\"password\\":\\"***\\",\\"a\\":1}'),
            ('[sinkURI="kafka://h/t?sasl-user=alice&sasl-password=alice-secret"]',
             '[sinkURI="kafka://h/t?sasl-user=alice&sasl-password=***"]'),
            ("Server=h;Uid=root;Pwd=p,w;Port=4000", "Server=h;Uid=root;Pwd=***;Port=4000"),
            ("DefaultEndpointsProtocol=https;AccountKey=ab+/cd==;EndpointSuffix=x",
             "DefaultEndpointsProtocol=https;AccountKey=***;EndpointSuffix=x"),
            ("{User:root Password:abc123 Addr:[::]}", "{User:root Password:*** Addr:[::]}"),
            ('password: Some("hunter2"), port: 1', 'password: Some("***"), port: 1'),
            ("密码：abc123", "密码：***"),
            ("password\x1b[0m=\x1b[32mhunter2\x1b[0m x", "password\x1b[0m=\x1b[32m***\x1b[0m x"),
            ("password\u00a0=\u00a0hunter2", "password\u00a0=\u00a0***"),
            ("token=/Zq1Xy/x secret=/Zq1Xy", "token=*** secret=***"),
            ('gcs.credentials-blob = "hunter2 x"', 'gcs.credentials-blob = "***"'),
        ),
        keeps=(
            "max_password_errors = 3", "token-limit = 1000", "key-prefix = abc", "password_lifetime = 0",
            "tidb_enable_password_check=ON", "default_authentication_plugin=mysql_native_password",
            "Access denied for user 'root'@'h' (using password: YES)", "password incorrect", "password: incorrect",
            'ssl-key = "/path/key.pem"', "initial-cluster-token = pd-cluster", "invalid token: unexpected end",
            "validate_password = 1", "password = ''", "password=", "password=${DB_PASSWORD}", "next_page_token: abc",
            "client-key: /etc/tls/client.key", "PWD=/root", "smtp_auth_password: <secret>", "std::token::Foo",
        ),
    ),
    Rule(
        "name-value-pair",
        "A pair whose name says that its value is a secret, as Kubernetes writes the environment",
        r"(?i:\b(?:name|key|variable[_ ]name|option|setting|property|field|param|parameter|config[_ ]key)\\{0,7}[\"']?)"
        rf"\s{{0,8}}[:=]\s{{0,8}}\\{{0,7}}[\"']?({_NAMED})\\{{0,7}}[\"']?{_GAP},?{_GAP}"
        r"(?i:(\\{0,7}[\"']?(?:value|val|variable[_ ]value|current|setting)\\{0,7}[\"']?))\s{0,8}([:=])",
        Take.PAIR,
        masks=(
            ('{"name": "DB_PASSWORD", "value": "hunter2"}', '{"name": "DB_PASSWORD", "value": "***"}'),
            ('<add key="Password" value="hunter2"/>', '<add key="Password" value="***"/>'),
            ("- name: DB_PASSWORD\n  value: hunter2\n", "- name: DB_PASSWORD\n  value: ***\n"),
            ('{"Variable_name":"bind_root_pwd","Value":"x1"}', '{"Variable_name":"bind_root_pwd","Value":"***"}'),
        ),
        keeps=(
            '{"name": "DB_HOST", "value": "db1"}', '{"name": "validate_password", "value": "ON"}',
            '{"name": "token-limit", "value": "1000"}',
        ),
    ),
    Rule(
        "value-name-pair",
        "The same pair with the value first",
        r"(?i:\\{0,7}[\"'](?:name|key)\\{0,7}[\"'])\s{0,8}:\s{0,8}\\{0,7}[\"']"
        rf"({_NAMED})\\{{0,7}}[\"']\s{{0,80}}\}}",
        Take.PAIR_REVERSED,
        masks=(('{"value": "hunter2", "name": "DB_PASSWORD"}', '{"value": "***", "name": "DB_PASSWORD"}'),),
        keeps=('{"value": "db1", "name": "DB_HOST"}', '{"value": "", "name": "DB_PASSWORD"}'),
    ),
    Rule(
        "list-pair",
        "A row of a result set in JSON: a name and its value",
        rf"[\[,]\s{{0,80}}\[\s{{0,80}}\\{{0,7}}\"({_NAMED})\\{{0,7}}\"\s{{0,80}},\s{{0,80}}(\\{{0,7}}\")",
        Take.LIST_PAIR,
        masks=(('[["a","b"],["bind_root_pwd","hunter2"]]', '[["a","b"],["bind_root_pwd","***"]]'),),
        keeps=('[["token-limit","1000"]]', '{"columns":["password","user"]}', '[["user_token","name","type"]]'),
    ),
    Rule(
        "table-row",
        "A row of two columns as clients print it",
        rf"(?m:^)(?:\||│)?[ \t]*({_NAMED})(?:[ \t]*(?:\||│|\t)[ \t]*|,)",
        Take.CELL,
        masks=(
            ("| ldap_bind_root_pwd | hunter2 |\n", "| ldap_bind_root_pwd | *** |\n"),
            ("ldap_bind_root_pwd\thunter2\n", "ldap_bind_root_pwd\t***\n"),
            ("ldap_bind_root_pwd,hunter2\n", "ldap_bind_root_pwd,***\n"),
        ),
        keeps=(
            "| authentication_string | Value |\n", "| Password | Host | User |\n", "validate_password\tON\n",
            "ldap_bind_root_pwd\t\n", "password, please\n", "password,token\n",
        ),
    ),
    Rule(
        "json-web-key",
        "The private members of a JSON Web Key",
        r"\\{0,7}\"(?:d|p|q|dp|dq|qi|k)\\{0,7}\"\s{0,8}:\s{0,8}\\{0,7}\"(?P<secret>[\w\-]{16,1000})",
        Take.JWK,
        masks=(
            ('{"kty":"oct","k":"0a1b2c3d4e5f6071"}', '{"kty":"oct","k":"***"}'),
            ('{"d":"0a1b2c3d4e5f6071","e":"AQAB","kty":"RSA"}', '{"d":"***","e":"AQAB","kty":"RSA"}'),
        ),
        keeps=('{"d":"0a1b2c3d4e5f6071","e":"AQAB"}', '{"kty":"RSA","n":"0a1b2c3d4e5f6071"}'),
    ),
    Rule(
        "tsig-key",
        "The key of a name server, as BIND's configuration has it",
        r"\bsecret[ \t]{1,8}\\{0,7}\"(?P<secret>[A-Za-z0-9+/]{8,200}={0,2})\\{0,7}\"[ \t]{0,8};",
        Take.WHOLE,
        masks=(('algorithm hmac-md5; secret "c2VjcmV0a2V5==";', 'algorithm hmac-md5; secret "***";'),),
        keeps=('secret "tidb-tls" not found', 'no secret "abcdefgh" here'),
    ),
    Rule(
        "xml-element",
        "An XML element or Hadoop property named like a secret",
        rf"<(?:name>)?({_NAMED})(?:\s[^<>]{{0,200}})?(?:</name>\s{{0,80}}<value)?>",
        Take.ELEMENT,
        masks=(
            ("<password>hunter2</password>", "<password>***</password>"),
            ("<name>fs.s3a.secret.key</name>\n<value>x1y2</value>", "<name>fs.s3a.secret.key</name>\n<value>***</value>"),
            ("<password><![CDATA[a<b]]></password>", "<password><![CDATA[***]]></password>"),
        ),
        keeps=("<password/>", "<password></password>", "<passwordPolicy>strict</passwordPolicy>",
            "smtp_auth_password: <secret>\nsmtp_require_tls: true\nurl: <secret>"),
    ),
)  # fmt: skip

_ADDRESSES = (
    Rule(
        "url-userinfo",
        "The password in an address",
        r"(://[^\s:/@\"'<>\\?#]{0,128}:)(?:\d{0,20}[^\s\d/\"'<>\\,?#\])}&;]|[^\s\"'<>]{1,80}@)",
        Take.USERINFO,
        masks=(
            ("mysql://cdc:S3cr3t%40pw@10.0.0.1:3306/?x=1", "mysql://cdc:***@10.0.0.1:3306/?x=1"),
            ("http://root:pa/ss@h:2379", "http://root:***@h:2379"),
            ("redis://:hunter2@h", "redis://:***@h"),
            ("postgres://u:p@ss@h/db", "postgres://u:***@h/db"),
        ),
        keeps=(
            "http://127.0.0.1:2379/pd/api",
            "http://h:80/?mail=a@b",
            "http://user@host:80/",
            "mysql://u:xxxxx@h:3306/",
            "http://[::1]:2379",
            "https://h:9090,https://g:9090",
            "http://h:2379 root@localhost",
        ),
    ),
    Rule(
        "share-userinfo",
        "The same in an address without a scheme",
        r"(?:\A|[\s\"'=(])(//[^\s:/@\"'<>\\?#]{1,64}:)[^\s\"'<>/@]{1,80}@\w",
        Take.USERINFO,
        masks=(("mount //user:hunter2@srv/share", "mount //user:***@srv/share"),),
        keeps=("//server/share", "// user: a@b", "http://h:80/"),
    ),
    Rule(
        "url-userinfo-encoded",
        "The password in an address that is itself a parameter",
        r"((?i:%3A%2F%2F)[\w.+~\-]{0,128}(?i:%3A))",
        Take.USERINFO,
        masks=(("?uri=mysql%3A%2F%2Froot%3Ahunter2%40h", "?uri=mysql%3A%2F%2Froot%3A***%40h"),),
        keeps=("?uri=http%3A%2F%2Fh%3A2379%2Fx",),
    ),
    Rule(
        "url-token",
        "A token in place of the user in an address",
        r"://(?P<secret>[A-Za-z0-9_\-]{20,255})@",
        Take.OPAQUE,
        masks=(("https://0123456789abcdef0123456789@host/x", "https://***@host/x"),),
        keeps=("ssh://administrator-of-everything@host/",),
    ),
    Rule(
        "go-dsn",
        "The password in a Go data source name",
        r"@(?:tcp|tcp6|udp|unix)?\(",
        Take.DSN,
        masks=(("root:p@ss:w@tcp(127.0.0.1:4000)/test", "root:***@tcp(127.0.0.1:4000)/test"),),
        keeps=("root@tcp(127.0.0.1:4000)/test", "root:@tcp(h)/", "@(#) version 1:2"),
    ),
    Rule(
        "signed-url",
        "The signature of an address that opens a store",
        r"(?:[?&](?i:signature|credential|sig)|(?i:\bx-(?:amz|goog|oss)-(?:signature|credential)))=",
        Take.VALUE,
        masks=(
            ("https://a.blob.x/c?sv=2022&sig=ab%2Bc%3D&se=1", "https://a.blob.x/c?sv=2022&sig=***&se=1"),
            ("canonical: X-Amz-Signature=0a1b2c, retry", "canonical: X-Amz-Signature=***, retry"),
        ),
        keeps=("/x?signal=9", "?signature="),
    ),
)

_STATEMENTS = (
    Rule(
        "sql-identified",
        "The password in CREATE USER, ALTER USER and GRANT",
        rf"(?i:\bidentified{_WS}(?:by(?:{_WS}(?:password(?:{_WS})?)?)?"
        rf"|with{_WS}\\{{0,7}}[\"'`]?\w{{1,64}}\\{{0,7}}[\"'`]?{_WS}(?:by|as)(?:{_WS})?))",
        Take.QUOTED,
        masks=(
            ("create user u identified by 'S3cret!'", "create user u identified by '***'"),
            ("IDENTIFIED WITH 'tidb_sm3_password'\n  AS '$x$y' REQUIRE", "IDENTIFIED WITH 'tidb_sm3_password'\n  AS '***' REQUIRE"),
            ('[sql="create user u identified by \\"it\'s\\""]', '[sql="create user u identified by \\"***\\""]'),
            ("identified by 'it''s; a\\'b' require", "identified by '***' require"),
            ("IDENTIFIED WITH x AS 0x2441AB", "IDENTIFIED WITH x AS ***"),
            ("IDENTIFIED/*a*/BY/**/'x1'", "IDENTIFIED/*a*/BY/**/'***'"),
            ("identified by'x1'", "identified by'***'"),
        ),
        keeps=(
            "IDENTIFIED WITH 'mysql_native_password' AS '' REQUIRE NONE", "identified by ?", "is identified by the id",
            'works are identified as "derived" here', "is identified by `id`",
        ),
    ),
    Rule(
        "sql-insert",
        "The values under a secret's column in an INSERT statement",
        rf"(?i:\binto){_WS}[\w.`\"\\$]{{1,128}}{_MAY}\(([^()]{{0,300}}{NOUN}[^()]{{0,300}})\){_MAY}(?i:values?){_MAY}\(",
        Take.INSERT,
        masks=(
            ("INSERT INTO users (name,password) VALUES ('bob','x1'),('eve','y,2')",
             "INSERT INTO users (name,password) VALUES ('bob','***'),('eve','***')"),
            ("insert into u (`password`, n) values (sha2('it''s', 256), 'a=b')",
             "insert into u (`password`, n) values (sha2('***', 256), 'a=b')"),
            ('"INSERT INTO u (token) VALUES (\\"abcde\\")", "b"', '"INSERT INTO u (token) VALUES (\\"***\\")", "b"'),
        ),
        keeps=("INSERT INTO t (user, password) VALUES (?, ?)", "insert into t (a, password_lifetime) values ('x', 'y')",
               "INSERT INTO t (name, password) VALUES ('bob', NULL), ('eve', '')"),
    ),
    Rule(
        "sql-replace",
        "The old password in ALTER USER",
        rf"['\"](?i:{_WS}replace{_WS})",
        Take.QUOTED,
        masks=(("BY '***' REPLACE 'old1'", "BY '***' REPLACE '***'"),),
        keeps=("select 'a' , replace(x, 'a', 'b')",),
    ),
    Rule(
        "sql-set-password",
        "SET PASSWORD and the password of a replication source",
        rf"(?i:(?:\bset{_WS}password(?:{_WS}for{_WS}[^=;]{{1,160}})?|\b(?:master|source)_password)"
        rf"{_MAY}={_MAY}(?:(?:old_)?password{_MAY}\({_MAY})?)",
        Take.QUOTED,
        masks=(
            ("SET PASSWORD FOR 'u'@'%' = 'new1'", "SET PASSWORD FOR 'u'@'%' = '***'"),
            ("set password = password('new1')", "set password = password('***')"),
            ("CHANGE MASTER TO MASTER_PASSWORD =\n 'x1', MASTER_PORT=1", "CHANGE MASTER TO MASTER_PASSWORD =\n '***', MASTER_PORT=1"),
        ),
        keeps=("SET PASSWORD FOR 'u'@'%' = ?", "SET PASSWORD FOR 'u'@'%' = ''"),
    ),
    Rule(
        "sql-password",
        "PASSWORD('x'), and the option of CREATE SERVER",
        rf"(?i:\b(?:old_)?password(?:{_MAY}\({_MAY}|{_WS}))",
        Take.QUOTED,
        masks=(
            ("select PASSWORD('x1y')", "select PASSWORD('***')"),
            ("OPTIONS (USER 'u', PASSWORD 'x1y')", "OPTIONS (USER 'u', PASSWORD '***')"),
        ),
        keeps=("select password ( ? )", "ALTER USER u PASSWORD EXPIRE", "Unknown column 'password' in 'where clause'"),
    ),
)  # fmt: skip

_FUNCTIONS = (
    Rule(
        "sql-aes-key",
        "The key of AES_ENCRYPT and AES_DECRYPT",
        rf"(?i:\baes_(?:en|de)crypt){_MAY}\({_MAY}(?:\\{{0,7}}'[^']{{0,200}}'|\\{{0,7}}\"[^\"]{{0,200}}\"|[^(),'\"]{{1,200}}){_MAY},{_MAY}",
        Take.QUOTED,
        masks=(
            ("select aes_decrypt(c, 'hunter2')", "select aes_decrypt(c, '***')"),
            ("AES_ENCRYPT('text', 'hunter2')", "AES_ENCRYPT('text', '***')"),
        ),
        keeps=("select aes_decrypt(c, k)", "aes_encrypt needs a key, 'x'"),
    ),
)

_HEADERS = (
    Rule(
        "mysql-temporary-password",
        "The password that MySQL makes up for its first start and writes to its log",
        r"(?i:\btemporary password is generated for) [^\s:]{1,128}: {1,4}(?P<secret>[^\s\"'\\])",
        Take.RUN,
        masks=(("A temporary password is generated for root@localhost: Zq:35x,!)\n",
                "A temporary password is generated for root@localhost: ***\n"),),
        keeps=("A temporary password is generated for root@localhost", "no temporary password is generated for x:"),
        goes_on=r"[^\s\"'\\]",
    ),
    Rule(
        "authorization",
        "The credentials of an HTTP request",
        r"(?i:\bauthorization)\\{0,7}[\"']?\]?\s{0,4}[:=]\s{0,4}[\[({]?\\{0,7}[\"'`]?"
        r"((?i:bearer|basic|token|digest|negotiate|ntlm|apikey|splunk|aws4-hmac-sha256|acs3-hmac-sha256|hawk|mac|oauth)"
        r"(?:\s|%20){1,8})?",
        Take.HEADER,
        masks=(
            ("Authorization: Bearer abc.def\n", "Authorization: Bearer ***\n"),
            ('"Authorization":["Basic cm9vdDpw"]', '"Authorization":["Basic ***"]'),
            ("Authorization: AWS4-HMAC-SHA256 Credential=A/b, Signature=c1\r\nHost: h",
             "Authorization: AWS4-HMAC-SHA256 ***\r\nHost: h"),
            ("authorization: 0a1b2c3d4e5f", "authorization: ***"),
        ),
        keeps=("Access-Control-Allow-Headers: Accept, Authorization, Content-Type", "authorization: enabled",
               "Authorization: Bearer is required"),
    ),
    Rule(
        "bearer",
        "A bearer token anywhere",
        r"(?i:\bbearer)[ \t]{1,4}(?P<secret>[\w\-.~+/]{16,255})",
        Take.OPAQUE,
        masks=(("sent Bearer 0a1b2c3d4e5f60718293 to", "sent Bearer *** to"),),
        keeps=("bearer authentication-required",),
        goes_on=r"[\w\-.~+/=]",
    ),
    Rule(
        "basic",
        "Basic authorisation anywhere",
        r"(?i:\bbasic)[ \t]{1,4}(?P<secret>[A-Za-z0-9+/]{6,255}={0,2})",
        Take.BASIC,
        masks=(("sent Basic cm9vdDpodW50ZXIy to", "sent Basic *** to"),),
        keeps=("basic authentication failed", "Basic usage"),
    ),
    Rule(
        "cookie",
        "Cookies, which stand for a login",
        r"(?i:\b(?:set-)?cookie)\\{0,7}[\"']?\]?\s{0,4}[:=]\s{0,4}[\[({]{0,2}\\{0,7}[\"'`]?"
        r"(?P<secret>[\w.\-!#$%&*+^|~]{1,128}=)",
        Take.REST,
        masks=(("Cookie: grafana_session=0a1b; x=y\r\n", "Cookie: ***\r\n"),),
        keeps=("net.ipv4.tcp_syncookies = 1", "Sending cookies.", "cookie: none"),
    ),
)  # fmt: skip

_PACKED = Rule(
    "base64",
    "Text packed as base64 in JSON, such as the values of etcd; it is redacted inside",
    # A text's bytes are below 0x7f, so every fourth character is one of these.
    r"\"(?P<secret>(?:[CDI-Za-f][A-Za-z0-9+/]{3}){6})",
    Take.BASE64,
    masks=(
        ('{"value":"eyJwYXNzd29yZCI6Imh1bnRlcjIiLCJ1c2VyIjoicm9vdCJ9"}',
         '{"value":"eyJwYXNzd29yZCI6IioqKiIsInVzZXIiOiJyb290In0="}'),
    ),
    keeps=('{"start_key":"7480000000000000FF5F728000000000000001FA"}',),
)  # fmt: skip

SHIPPED = RuleSet(
    "1", (*SHAPES, *_KEYS, *_ADDRESSES, *_STATEMENTS, *_FUNCTIONS, *COMMANDS, *_HEADERS, _PACKED)
)
"""What every run begins with. The version grows with every change of a rule."""
