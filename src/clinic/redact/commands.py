"""Rules for what stands in command lines and scripts: options, directives, pipes."""

from __future__ import annotations

from clinic.redact.keys import NOUN
from clinic.redact.rule import Rule, Take

COMMANDS: tuple[Rule, ...] = (
    Rule(
        "option",
        "The word after a long option that takes a password",
        rf"(?:\A|[\s\"'\x00,\[(=])(--?[\w.\-]{{0,40}}{NOUN})"
        r"(?:[ \t]{1,16}|\x00|\\{0,7}[\"']\s{0,8},\s{0,80}|[\"']?[ \t]{0,8}\r?\n[ \t]{0,40}-[ \t]{1,8})",
        Take.OPTION,
        masks=(
            ("mysqld --password hunter2 --port 1", "mysqld --password *** --port 1"),
            ('["--password", "hunter2"]', '["--password", "***"]'),
            ("- --password\n- hunter2\n", "- --password\n- ***\n"),
        ),
        keeps=("--password --user root", "--password string   Password to use", "--token-limit 5", "a - password incorrect"),
    ),
    Rule(
        "client-option",
        "A short option that carries a password, by the program before it",
        r"[ \t\"'\x00,]-([pwaPUucAXb])",
        Take.CLIENT,
        masks=(
            ("mysql -uroot -pS3cret -h x", "mysql -uroot -p*** -h x"),
            ('["mysql","-pS3cret","-h"]', '["mysql","-p***","-h"]'),
            ("redis-cli -a hunter2 ping", "redis-cli -a *** ping"),
            ("curl -s -u admin:hunter2 http://h", "curl -s -u admin:*** http://h"),
            ("curl -b sid=0a1b2c http://h", "curl -b sid=*** http://h"),
            ("loader -u root -p hunter2x", "loader -u root -p ***"),
            ("loader -uroot:hunter2x", "loader -uroot:***"),
        ),
        keeps=("ssh -p22 h", "mkdir -p /data", "mysql -p test", "curl -u admin http://h", "ps -p1", "mysql -h x; cp -pr a b",
               "curl -b cookies.txt http://h", "docker run -u app:staff nginx", "tool -u root -p 4000"),
    ),
    Rule(
        "user-option",
        "A user and password in one option or variable",
        r"(?:--(?:proxy-|etcd-)?user|\bETCDCTL_USER)(?:=|[ \t]{1,8})\\{0,3}[\"']?[A-Za-z_][\w.@\-]{0,63}:",
        Take.VALUE,
        masks=(
            ("etcdctl --user root:hunter2 get x", "etcdctl --user root:*** get x"),
            ("ETCDCTL_USER=root:hunter2 etcdctl get x", "ETCDCTL_USER=root:*** etcdctl get x"),
        ),
        keeps=("mysqld --user=mysql --port=1", "docker run --user 1000:1000x x --user root:"),
    ),
    Rule(
        "directive",
        "A line of a configuration that has no sign between name and password",
        r"(?:\A|[\s\"'/])(?i:requirepass|masterauth|auth_pass|bindpw|rootpw|rootbindpw)[ \t]{1,64}",
        Take.VALUE,
        masks=(("requirepass foobared1\n", "requirepass ***\n"),),
        keeps=("# requirepass is not set\n", "bindpw \n"),
    ),
    Rule(
        "ldif",
        "The password of an entry of LDAP, which LDIF has as it is or in base64",
        r"(?i:\buserpassword)::?[ \t]{1,8}",
        Take.VALUE,
        masks=(("userPassword:: aHVudGVyMg==\n", "userPassword:: ***\n"),),
        keeps=("userPassword:\n", "access to attrs=userPassword by self write"),
    ),
    Rule(
        "netrc",
        "The password of a machine in a netrc file",
        r"\blogin[ \t]{1,8}\S{1,64}\s{1,64}password[ \t]{1,8}",
        Take.VALUE,
        masks=(("machine h login me password hunter2", "machine h login me password ***"),),
        keeps=("login as root, password follows",),
    ),
    Rule(
        "set-environment",
        "A variable as the C shell and fish set it",
        rf"\b(?:setenv|export)[ \t]{{1,8}}([A-Z][A-Z0-9_]{{0,40}}{NOUN}|{NOUN})[ \t]{{1,8}}",
        Take.OPTION,
        masks=(("setenv DB_PASSWORD hunter2", "setenv DB_PASSWORD ***"), ("export TOKEN 0a1b2c3d", "export TOKEN ***")),
        keeps=("export DB_PASSWORD DB_USER", "export TOKEN before you start", "export password policy", "setenv TOKEN $1"),
    ),
    Rule(
        "piped-password",
        "A password that is sent to a program that reads it",
        r"\becho[ \t]{1,8}(?:-\w{1,3}[ \t]{1,8})?\\{0,7}[\"']?(?:[a-z_][\w.\-]{0,31}:)?(?P<secret>[^\s\"'\\$|<>`][^\s\"'\\|`]{0,127})"
        r"\\{0,7}[\"']?[ \t]{0,8}\|[ \t]{0,8}(?:sudo[ \t]{1,8})?[\w/]{0,64}"
        r"(?:passwd[ \t][^\n|]{0,40}--stdin|chpasswd|sudo[ \t][^\n|]{0,40}-\w{0,4}S\b)",
        Take.WHOLE,
        masks=(
            ("echo hunter2 | passwd --stdin root", "echo *** | passwd --stdin root"),
            ("echo 'root:hunter2' | sudo chpasswd", "echo 'root:***' | sudo chpasswd"),
            ("echo hunter2 | sudo -S id", "echo *** | sudo -S id"),
        ),
        keeps=("echo $PW | passwd --stdin root", "echo hello | sudo tee /etc/motd"),
    ),
    Rule(
        "oracle-login",
        "User and password before the name of an Oracle database",
        r"(?i:\b(?:sqlplus|sqlldr|expdp|impdp)|(?m:^[ \t]{0,16}|SQL> {0,4})conn(?:ect)?)(?:[ \t]{1,8}-\w{1,8}){0,4}[ \t]{1,8}[\"']?\w{1,64}/(?P<secret>[^\s@\"'/*]{1,64})@",
        Take.WHOLE,
        masks=(("sqlplus -s scott/tiger1@db", "sqlplus -s scott/***@db"), ("connect scott/tiger1@db", "connect scott/***@db")),
        keeps=("connect / as sysdba", "sqlplus /nolog @run.sql", "can not connect user/name@db"),
    ),
)  # fmt: skip
"""Options, directives and pipes."""
