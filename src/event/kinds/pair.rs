//! Reasons why a certificate and its key cannot be used: what a file is instead of what
//! it should be, each with what mends it.

use super::super::Kind;
use super::super::text::Text;
use super::why;

/// Words in front of what a file is instead.
const INSTEAD: Text = Text::new(
    "{|file|：}{其中没有|wanted|：}",
    "{|file|: }{holds no |wanted|: }",
);

/// Makes a kind of what a file is instead of the certificate or key that is wanted. File
/// and `wanted` are added by whoever looked.
macro_rules! instead {
    ($id:literal, [$($field:literal),*], $zh:literal, $en:literal $(,)?) => {
        why($id, &["file?", "wanted?", $($field),*], $zh, $en).lead(INSTEAD)
    };
}

kinds! { PAIRS:
    /// The file cannot be read.
    PAIR_UNREADABLE = why("pair.unreadable", &["file", "error"],
        "{file}：无法读取：{error}", "{file}: cannot be read: {error}");
    /// The file is not there.
    PAIR_ABSENT = why("pair.absent", &["file", "error"],
        "{file}：无法读取：{error}：请检查路径；相对路径从启动时的目录算起，在容器里还需挂载该目录",
        "{file}: cannot be read: {error}: check the path; a relative one begins in the folder in which the server was \
         started, and in a container the folder has to be mounted");
    /// The file is a link to nothing.
    PAIR_DANGLING = why("pair.dangling", &["file", "target", "error"],
        "{file}：无法读取：{error}：它是指向 {target} 的链接，而那里没有文件（certbot 的 live/ 指向 ../../archive/）：在容器里请挂载整个 \
         /etc/letsencrypt，或复制内容并在配置中改用副本：cp -L {'file'} certs/",
        "{file}: cannot be read: {error}: it is a link to {target}, and there is no file (certbot's live/ leads to ../../archive/): \
         in a container mount all of /etc/letsencrypt, or copy what it leads to and name the copy: cp -L {'file'} certs/");
    /// The file may not be read.
    PAIR_FORBIDDEN = why("pair.forbidden", &["file", "user", "error"],
        "{file}：无法读取：{error}：用户 {user} 没有权限（certbot 的密钥只有 root 能读）：复制一份、设好所有者并在配置中改用它：\
         install -o {user} -m 600 {'file'} certs/，可放在 certbot 的 --deploy-hook 中",
        "{file}: cannot be read: {error}: user {user} may not (certbot's keys are for root alone): make a copy that this user \
         owns and name it: install -o {user} -m 600 {'file'} certs/ (certbot runs it in a --deploy-hook)");
    /// The file is a folder.
    PAIR_FOLDER = why("pair.folder", &["file", "wanted", "name"],
        "{file}：无法读取：它是一个目录，而需要的是{wanted}文件：请写 {file}/{name}；如果它是空的，可能是 Docker 在挂载不存在的文件时建的",
        "{file}: cannot be read: it is a folder, and the file with the {wanted} is wanted: write {file}/{name}; an empty one \
         Docker may have made, where a file that is not there was mounted");
    /// Nothing.
    PAIR_EMPTY = instead!("pair.empty", [],
        "文件是空的：请重新复制或签发（磁盘是否已满？）", "it is empty: copy it again, or have it issued anew (was the disk full?)");
    /// Zeros.
    PAIR_ZEROS = instead!("pair.zeros", [],
        "文件里全是零，断电或写满的磁盘会留下这样的文件：请从备份恢复或重新签发",
        "it is full of zeros, as a power cut or a full disk leaves it: restore it, or have it issued anew");
    /// UTF-16.
    PAIR_UTF16 = instead!("pair.utf16", ["encoding"],
        "它是 {encoding} 编码（Windows 记事本的“Unicode”，或 PowerShell 的 >）（再在配置中改用 {|file|}.pem）：iconv -f {encoding} -t UTF-8 {|'file'|} > {|'file'|}.pem",
        "it is {encoding} text (\"Unicode\" in Windows' Notepad, or PowerShell's >) (then name {|file|}.pem in the configuration): iconv -f {encoding} -t UTF-8 {|'file'|} > \
         {|'file'|}.pem");
    /// A byte order mark.
    PAIR_BOM = instead!("pair.bom", [],
        "开头有 BOM（Windows 记事本的“UTF-8 BOM”），PEM 文件里不能有：sed -i '1s/^\\xEF\\xBB\\xBF//' {|'file'|}",
        "it begins with a BOM (\"UTF-8 with BOM\" in Windows' Notepad), which has no place in PEM: \
         sed -i '1s/^\\xEF\\xBB\\xBF//' {|'file'|}");
    /// Line breaks that were written out.
    PAIR_ESCAPED_BREAKS = instead!("pair.escaped-breaks", [],
        "不是 PEM 文件：换行变成了 \\n 两个字符（环境变量和 JSON 里如此）（再在配置中改用 {|file|}.pem）：sed 's/\\\\r//g;s/\\\\n/\\n/g;s/\\\\//g' {|'file'|} | \
         grep -oE -- '-----(BEGIN|END) [A-Z0-9 ]+-----|^[A-Za-z0-9+/=]+$' > {|'file'|}.pem",
        "not a PEM file: its line breaks have become the two characters \\n, as in environment variables and JSON (then name {|file|}.pem in the configuration): \
         sed 's/\\\\r//g;s/\\\\n/\\n/g;s/\\\\//g' {|'file'|} | grep -oE -- '-----(BEGIN|END) [A-Z0-9 ]+-----|^[A-Za-z0-9+/=]+$' > \
         {|'file'|}.pem");
    /// Lines that have run together.
    PAIR_RUN_TOGETHER = instead!("pair.run-together", ["made?", "command"],
        "不是 PEM 文件：各行连在了一起，-----BEGIN …----- 和 -----END …----- 必须各占一行{（再在配置中改用 |made|）}：{command}",
        "not a PEM file: its lines have run together, and -----BEGIN ...----- and -----END ...----- must stand on lines of their \
         own{ (then name |made| in the configuration)}: {command}");
    /// A mark that is none.
    PAIR_MARK = instead!("pair.mark", ["line", "column", "sign", "due", "mark", "made?", "command"],
        "不是 PEM 文件：{|file|}:{line} 应为 {mark}，而第 {column} 列是 {sign}，应为 {due}{（再在配置中改用 |made|）}：{command}",
        "not a PEM file: {|file|}:{line} should be {mark}, and has {sign} at column {column}, where {due} belongs{ (then name |made| in \
         the configuration)}: {command}");
    /// A block without an end.
    PAIR_NO_END = instead!("pair.no-end", [],
        "不是完整的 PEM 文件：有一块没有 -----END …----- 行，被截断了：请重新复制",
        "not a whole PEM file: a block of it has no -----END ...----- line: it was cut off; copy it again");
    /// A block without a begin.
    PAIR_NO_BEGIN = instead!("pair.no-begin", ["line"],
        "不是完整的 PEM 文件：第 {line} 行结束的一块前面没有 -----BEGIN …----- 行：请在它的 base64 前面补上该行，或重新复制",
        "not a whole PEM file: the block that ends on line {line} has no -----BEGIN ...----- line: write that line in front of its \
         base64, or copy the file again");
    /// A block of something else.
    PAIR_NO_BASE64 = instead!("pair.no-base64", ["line?"],
        "不是 PEM 文件：有一块的内容不是 base64{（第 |line| 行）}，已损坏：请重新复制",
        "not a PEM file: the content of a block is no base64{ (line |line|)}: it is damaged; copy it again");
    /// DER.
    PAIR_DER = instead!("pair.der", ["what", "command"],
        "它是 DER（二进制格式）的{what}，需要 PEM（再在配置中改用 {|file|}.pem）：{command}", "it is {what} in DER, the binary form, and PEM is wanted (then name {|file|}.pem in the configuration): {command}");
    /// Base64 without marks.
    PAIR_BASE64 = instead!("pair.base64", ["what", "command"],
        "它是没有 -----BEGIN …----- 行的 base64，内容：{what}（再在配置中改用 {|file|}.pem）：{command}",
        "it is base64 without -----BEGIN ...----- lines, and holds {what} (then name {|file|}.pem in the configuration): {command}");
    /// PKCS #12.
    PAIR_PKCS12 = instead!("pair.pkcs12", [],
        "它是 PKCS#12（.p12、.pfx，Windows 和云控制台导出的格式）：openssl pkcs12 -in {|'file'|} -nokeys -out fullchain.pem；\
         openssl pkcs12 -in {|'file'|} -nocerts -nodes -out privkey.pem（提示 unsupported 时加 -legacy）",
        "it is PKCS#12 (.p12, .pfx, as Windows and consoles of clouds export it): openssl pkcs12 -in {|'file'|} -nokeys -out \
         fullchain.pem; openssl pkcs12 -in {|'file'|} -nocerts -nodes -out privkey.pem (with -legacy where that says unsupported)");
    /// PKCS #7.
    PAIR_PKCS7 = instead!("pair.pkcs7", ["form"],
        "它是 PKCS#7（.p7b、.p7c），只含证书：openssl pkcs7 -inform {form} -in {|'file'|} -print_certs -out fullchain.pem；密钥在提出申请的机器上",
        "it is PKCS#7 (.p7b, .p7c), which holds certificates only: openssl pkcs7 -inform {form} -in {|'file'|} -print_certs -out \
         fullchain.pem; the key is where the request was made");
    /// A key store of Java.
    PAIR_KEY_STORE = instead!("pair.key-store", ["format", "command"],
        "它是 Java 的密钥库（{format}）：{command}，再 openssl pkcs12 -in {|'file'|}.p12 -nokeys -out fullchain.pem 和 openssl pkcs12 -in {|'file'|}.p12 -nocerts -nodes -out privkey.pem",
        "it is a key store of Java ({format}): {command}, then openssl pkcs12 -in {|'file'|}.p12 -nokeys -out fullchain.pem and openssl pkcs12 -in {|'file'|}.p12 -nocerts -nodes \
         -out privkey.pem");
    /// A data base of keys.
    PAIR_NSS = instead!("pair.nss", [],
        "它是数据库（Firefox、Chrome 等使用的 NSS 的 cert9.db、key4.db 就是这样）：pk12util -d 目录 -n 名称 -o a.p12（certutil -L -d 目录 列出名称），\
         再 openssl pkcs12 -in a.p12 -nokeys -out fullchain.pem 和 openssl pkcs12 -in a.p12 -nocerts -nodes -out privkey.pem",
        "it is a data base, as NSS (Firefox, Chrome) keeps certificates in cert9.db and keys in key4.db: pk12util -d FOLDER -n NAME \
         -o a.p12 (certutil -L -d FOLDER lists the names), then openssl pkcs12 -in a.p12 -nokeys -out fullchain.pem and openssl \
         pkcs12 -in a.p12 -nocerts -nodes -out privkey.pem");
    /// A key as Windows keeps it.
    PAIR_FORMAT = instead!("pair.format", ["format", "command"],
        "它是 Windows 的 {format} 格式的密钥（再在配置中改用 {|file|}.pem）：{command}", "it is a key in the form {format} of Windows (then name {|file|}.pem in the configuration): {command}");
    /// A key in JSON.
    PAIR_JWK = instead!("pair.jwk", [],
        "它是 JWK（JSON 形式的密钥，openssl 不能读取）：certbot 的 accounts/…/private_key.json 是 ACME 账户的密钥，不是证书的，证书的是 \
         live/域名/privkey.pem；如果证书确实是用它申请的，请用生成它的程序导出 PEM",
        "it is a JWK, a key in JSON, which openssl does not read: certbot's accounts/.../private_key.json is the key of its ACME \
         account and no certificate's, which is live/NAME/privkey.pem; where the certificate was made for it, let the program that \
         made it export PEM");
    /// A key in XML.
    PAIR_XML_KEY = instead!("pair.xml-key", [],
        "它是 .NET 的 XML 密钥（RSAKeyValue）：请用生成它的程序导出 PEM（RSA.FromXmlString，再 ExportPkcs8PrivateKeyPem），没有 <D> 的只是公钥",
        "it is a key in XML, as .NET writes it (RSAKeyValue): let the program that made it export PEM (RSA.FromXmlString, then \
         ExportPkcs8PrivateKeyPem); one without <D> is a public key only");
    /// A request.
    PAIR_REQUEST = instead!("pair.request", [],
        "它是证书申请（CSR）：请在 cert 中写颁发机构据此签发的证书（fullchain.pem），在 key 中写与它一起生成的私钥（privkey.pem）",
        "it is a request for a certificate (CSR): name what the authority gave for it under cert (fullchain.pem), and the key that was made with it under key (privkey.pem)");
    /// A list of what was revoked.
    PAIR_REVOCATIONS = instead!("pair.revocations", [],
        "它是吊销列表（CRL）：请使用 fullchain.pem 和 privkey.pem", "it is a list of revoked certificates (CRL): name fullchain.pem and privkey.pem");
    /// A public key.
    PAIR_PUBLIC_KEY = instead!("pair.public-key", [],
        "它是公钥：私钥（privkey.pem）是与它一起生成的，证书由颁发机构签发",
        "it is a public key: the private one (privkey.pem) was made with it, and the certificate comes from the authority");
    /// Parameters.
    PAIR_PARAMETERS = instead!("pair.parameters", ["label"],
        "它只有 {label}（参数），这里不需要：请使用 fullchain.pem 和 privkey.pem",
        "it holds {label} alone, which are not needed here: name fullchain.pem and privkey.pem");
    /// A key of OpenSSH.
    PAIR_OPENSSH = instead!("pair.openssh", [],
        "它是 OpenSSH 的密钥：如果证书确实是用它申请的（再在配置中改用 {|file|}.pem）：cp {|'file'|} {|'file'|}.pem && ssh-keygen -p -m PEM -N '' -f {|'file'|}.pem；否则请使用申请证书时生成的密钥",
        "it is a key of OpenSSH: where the certificate was made for it (then name {|file|}.pem in the configuration): cp {|'file'|} {|'file'|}.pem && ssh-keygen -p -m PEM -N '' -f \
         {|'file'|}.pem; else name the key that was made with the request");
    /// A key of `PuTTY`.
    PAIR_PUTTY = instead!("pair.putty", [],
        "它是 PuTTY 的密钥（.ppk）：如果证书确实是用它申请的（再在配置中改用 {|file|}.pem）：puttygen {|'file'|} -O private-openssh -o {|'file'|}.pem；否则请使用申请证书时生成的密钥",
        "it is a key of PuTTY (.ppk): where the certificate was made for it (then name {|file|}.pem in the configuration): puttygen {|'file'|} -O private-openssh -o {|'file'|}.pem; \
         else name the key that was made with the request");
    /// A public key or certificate of SSH.
    PAIR_SSH_PUBLIC = instead!("pair.ssh-public", [],
        "它是 SSH 的公钥，与 TLS 无关：请使用 fullchain.pem 和 privkey.pem",
        "it is a public key of SSH, which TLS has no use for: name fullchain.pem and privkey.pem");
    /// Something of `OpenPGP`.
    PAIR_PGP = instead!("pair.pgp", [],
        "它是 OpenPGP 的内容：加密文件请先 gpg -d {|'file'|} > {|'file'|}.pem，PGP 密钥不能用于 TLS",
        "it is OpenPGP's: gpg -d {|'file'|} > {|'file'|}.pem opens an encrypted file, and a PGP key is none for TLS");
    /// A file of another program, with certificates in it.
    PAIR_STORE = instead!("pair.store", ["command"],
        "它是其他程序保存证书的 JSON 或 YAML（Traefik 的 acme.json、Kubernetes 的 Secret）：{command}",
        "it is JSON or YAML, in which other programs keep certificates (acme.json of Traefik, a Secret of Kubernetes): {command}");
    /// JSON without a certificate.
    PAIR_JSON = instead!("pair.json", [],
        "它是 JSON，里面没有证书：可能是服务器的出错应答被存成了文件（请重新下载），也可能是其他程序的状态文件（请用该程序导出 PEM）",
        "it is JSON without a certificate in it: a server's answer to a download that failed (download it again), or what another \
         program keeps for itself (let that program export PEM)");
    /// A web page.
    PAIR_WEB_PAGE = instead!("pair.web-page", [],
        "它是网页（登录页或错误页被存成了文件）：请用浏览器登录后重新下载，或 curl -fLO",
        "it is a web page (that of a login or an error was saved): download it again, logged in, or with curl -fLO");
    /// A printout.
    PAIR_PRINTOUT = instead!("pair.printout", ["command"],
        "它是 openssl -text 打印的内容，不是文件本身：{command}",
        "it is what openssl prints with -text, and not the thing itself: {command}");
    /// An archive.
    PAIR_ARCHIVE = instead!("pair.archive", ["format", "command"],
        "它是 {format} 压缩包：{command}，再指定其中的 fullchain.pem 和 privkey.pem",
        "it is a {format} archive: {command}, then name fullchain.pem and privkey.pem of it");
    /// Something that is shut.
    PAIR_LOCKED = instead!("pair.locked", ["tool", "command"],
        "它被 {tool} 加密：{command}", "it is shut by {tool}: {command}");
    /// A pointer into a large file storage.
    PAIR_LFS = instead!("pair.lfs", [],
        "它是 Git LFS 的指针，不是内容：git lfs pull", "it is a pointer of Git LFS, and not the content: git lfs pull");
    /// A link that became a text.
    PAIR_LINK_TEXT = instead!("pair.link-text", ["target"],
        "它是一个变成了文本的链接，只写着 {target}（Windows 上的 git 或 zip 会这样）：请复制它所指的文件",
        "it is a link that became a text and says {target} only (git and zip on Windows make such): copy the file that it means");
    /// A certificate that openssl marks as trusted, or of a very old name.
    PAIR_OLD_LABEL = instead!("pair.old-label", ["label"],
        "它的标记是 {label}，这里需要 CERTIFICATE（再在配置中改用 {|file|}.pem）：openssl crl2pkcs7 -nocrl -certfile {|'file'|} | openssl pkcs7 -print_certs -out {|'file'|}.pem",
        "its mark is {label}, and CERTIFICATE is wanted (then name {|file|}.pem in the configuration): openssl crl2pkcs7 -nocrl -certfile {|'file'|} | openssl pkcs7 -print_certs -out {|'file'|}.pem");
    /// A key in a certificate's place.
    PAIR_KEY_HERE = instead!("pair.key-here", [],
        "它是私钥：请在 cert 中指定证书（fullchain.pem），在 key 中指定私钥（privkey.pem）",
        "it is a private key: name the certificate (fullchain.pem) under cert, and the key (privkey.pem) under key");
    /// A certificate in a key's place.
    PAIR_CERTIFICATE_HERE = instead!("pair.certificate-here", [],
        "它是证书：请在 key 中指定与证书一起生成的私钥（privkey.pem，-----BEGIN PRIVATE KEY-----）",
        "it is a certificate: name under key the private key that was made with it (privkey.pem, -----BEGIN PRIVATE KEY-----)");
    /// Each in the other's place.
    PAIR_SWAPPED = why("pair.swapped", &["cert", "key"],
        "{cert} 是私钥，{key} 是证书，两者写反了：请写 cert: {key} 和 key: {cert}",
        "{cert} holds no certificate but a key, and {key} a certificate: they are swapped: write cert: {key} and key: {cert}");
    /// A pass phrase.
    PAIR_PASS_PHRASE = instead!("pair.pass-phrase", ["form"],
        "私钥有口令（{form}），服务器启动时没有人输入（再在配置中改用 {|file|}.pem）：openssl pkey -in {|'file'|} -out {|'file'|}.pem && chmod 600 {|'file'|}.pem",
        "its key has a pass phrase ({form}), and nobody is there to type it at the start (then name {|file|}.pem in the configuration): openssl pkey -in {|'file'|} -out \
         {|'file'|}.pem && chmod 600 {|'file'|}.pem");
    /// Nothing of the sort.
    PAIR_NOTHING = instead!("pair.nothing", ["name"],
        "不是 PEM 文件：请指定含 -----BEGIN …----- 的文件（{name}）",
        "not a PEM file: name one that holds -----BEGIN ...----- ({name})");
    /// The certificate is damaged.
    PAIR_BAD_CERTIFICATE = why("pair.bad-certificate", &["file", "number"],
        "{file}：第 {number} 张证书已损坏，或不是证书：请重新复制或签发；检查：openssl x509 -in {'file'} -noout -text",
        "{file}: certificate number {number} in it is damaged, or is none: copy it again, or have it issued anew; look at it by: \
         openssl x509 -in {'file'} -noout -text");
    /// The certificate is not as X.509 wants it.
    PAIR_MALFORMED = why("pair.malformed", &["file", "number", "what"],
        "{file}：第 {number} 张证书不合 X.509 的规定：{what}：客户端会拒绝它：请用较新的 openssl 或由公共机构重新签发；检查：openssl asn1parse -i -in {'file'}",
        "{file}: certificate number {number} in it is not as X.509 wants it: {what}: clients refuse it: have it issued anew, with a \
         present openssl or by a public authority; look at it by: openssl asn1parse -i -in {'file'}");
    /// The certificate has an extension that nobody knows.
    PAIR_EXTENSION = why("pair.extension", &["file", "number", "extension"],
        "{file}：第 {number} 张证书有一个客户端必须认识（critical）而不认识的扩展（{extension}）：设备和其他客户端会拒绝它：请不带该扩展重新签发",
        "{file}: certificate number {number} in it has a critical extension that clients do not know ({extension}): devices and \
         others refuse it: have it made again without that extension, or with it not critical");
    /// The certificate is of another version.
    PAIR_VERSION = why("pair.version", &["file", "version"],
        "{file}：证书是 X.509 第 {version} 版，如今的客户端只接受能带域名的第 3 版：请向公共机构申请（certbot certonly -d 域名）；自建机构签发时要带扩展：echo subjectAltName=DNS:域名 > ext && \
         openssl x509 -req -in 申请.csr -CA ca.pem -CAkey ca.key -extfile ext -days 365 -out cert.pem",
        "{file}: its certificate is X.509 version {version}, and clients of today take version 3 only, which holds the host names: \
         get one of a public authority (certbot certonly -d NAME); of one of your own, sign it with extensions: \
         echo subjectAltName=DNS:NAME > ext && openssl x509 -req -in REQUEST.csr -CA ca.pem -CAkey ca.key -extfile ext -days 365 -out cert.pem");
    /// The key names no curve.
    PAIR_CURVE = why("pair.curve", &["file", "command"],
        "{file}：密钥把椭圆曲线的参数写了出来，而不是写曲线的名称（再在配置中改用 {file}.pem）：{command}",
        "{file}: its key has the parameters of its curve written out, where the curve's name belongs (then name {file}.pem in the configuration): {command}");
    /// The certificate has the key in another form.
    PAIR_FORM = why("pair.form", &["cert", "key", "form", "command"],
        "{cert}：其中的公钥与 {key} 相符，但写成了{form}，客户端不接受：{command}",
        "{cert}: its public key is that of {key}, and stands there {form}, which clients do not take: {command}");
    /// The key is damaged.
    PAIR_BAD_KEY = why("pair.bad-key", &["file"],
        "{file}：私钥已损坏，或其种类这里不认识：openssl pkey -in {'file'} -noout -text 可查看；请使用 P-256 密钥或 2048 到 4096 位的 RSA 密钥",
        "{file}: its key is damaged, or of a kind that is not known here (openssl pkey -in {'file'} -noout -text shows it): use a \
         P-256 key, or an RSA key of 2048 to 4096 bits");
    /// The key is an Ed25519 one, which no device can read.
    PAIR_ED25519 = why("pair.ed25519", &["file"],
        "{file}：是 Ed25519 密钥，设备（mbedTLS）不能使用：请重新申请 P-256 或 RSA 证书：certbot certonly --key-type ecdsa --force-renewal -d 域名",
        "{file}: is an Ed25519 key, which devices (mbedTLS) cannot use: make a P-256 or RSA one: certbot certonly --key-type ecdsa \
         --force-renewal -d NAME");
    /// The key is of a kind that TLS here has no use for.
    PAIR_KEY_KIND = why("pair.key-kind", &["file", "kind"],
        "{file}：是 {kind} 密钥，这里和设备都不能使用：请重新申请 P-256 或 RSA 证书：certbot certonly --key-type ecdsa --force-renewal -d 域名",
        "{file}: is a key of {kind}, which can be used neither here nor by devices: make a P-256 or RSA one: certbot certonly \
         --key-type ecdsa --force-renewal -d NAME");
    /// The RSA key is too short, or too long.
    PAIR_KEY_LENGTH = why("pair.key-length", &["file", "bits"],
        "{file}：RSA 密钥有 {bits} 位，这里和设备接受 2048 到 4096 位：请重新申请：certbot certonly --key-type rsa --rsa-key-size 2048 --force-renewal \
         -d 域名，或 openssl genrsa -out privkey.pem 2048",
        "{file}: has an RSA key of {bits} bits, and 2048 to 4096 are wanted here and by devices: make another one: certbot certonly \
         --key-type rsa --rsa-key-size 2048 --force-renewal -d NAME, or openssl genrsa -out privkey.pem 2048");
    /// The certificate and the key are not one pair.
    PAIR_MISMATCH = why("pair.mismatch", &["cert", "key", "keys"],
        "{key}：不是 {cert} 的密钥（其中有 {keys} 个密钥）：请指定一起生成的两个文件；这两条命令的输出应相同：\
         openssl x509 -in {'cert'} -noout -pubkey 和 openssl pkey -in {'key'} -pubout",
        "{key}: is not the key of {cert} (keys in it: {keys}): name the two files that were made together; these two print the same \
         of a pair: openssl x509 -in {'cert'} -noout -pubkey and openssl pkey -in {'key'} -pubout");
    /// A root that is none.
    PAIR_NO_ROOT = why("pair.no-root", &["file"],
        "{file}：其中有证书不能作为根证书：请指定签发该目录证书的机构的证书（PEM）",
        "{file}: a certificate in it cannot be a root: name the PEM file with the certificate of the authority that signed the \
         directory's");
    /// The kept certificate is another user's.
    SIGN_OTHERS = why("sign.others", &["file", "folder", "owner", "mode", "user"],
        "{file} 属于用户 {owner}，权限为 {mode}，而本服务器以用户 {user} 运行，不能读取（先用 sudo 启动过就会这样）：sudo chown -R {user} {'folder'} \
         && sudo chmod 600 {'file'}",
        "{file} belongs to user {owner} with mode {mode}, and this server runs as user {user}, who may not read it (as after a first \
         start with sudo): sudo chown -R {user} {'folder'} && sudo chmod 600 {'file'}");
    /// The folder of our own certificate cannot be written.
    SIGN_KEEP = why("sign.keep", &["file", "error", "way?"],
        "{file}：{error}：本服务器签发的证书保存在那里{：|way|}",
        "{file}: {error}: the certificate that this server signs is kept there{: |way|}");
    /// TLS cannot be set up.
    TLS_SETUP = why("tls.setup", &["error"], "无法设置 TLS：{error}", "TLS cannot be set up: {error}");
    /// A certificate that lacks names.
    PAIR_LACKS = why("pair.lacks", &["names"],
        "其中的证书不适用于 {names}", "its certificate does not hold for {names}");
}
