//! Rules on names and connections.

use crate::probe::rule::Rule;

/// The name has no address.
pub(crate) static NAME_NOT_FOUND: Rule = Rule::new(
    "name-not-found",
    (
        "域名解析不到地址，设备无法连接。",
        "The name has no address, and a device cannot connect.",
    ),
    (
        "检查拼写和 DNS 记录；改了 DNS 以后要等旧记录过期。",
        "look at its spelling and at the DNS records; after a change the old ones must run out first.",
    ),
);

/// The resolver does not answer.
pub(crate) static NAME_TIMEOUT: Rule = Rule::new(
    "name-timeout",
    ("域名服务器没有回答。", "The name server does not answer."),
    (
        "检查这台机器和路由器的 DNS 设置。",
        "look at the DNS settings of this machine and of the router.",
    ),
);

/// Loopback, a fake-ip, and the like.
pub(crate) static NAME_LEADS_NOWHERE: Rule = Rule::new(
    "name-leads-nowhere",
    (
        "在这台机器上，域名指向一个设备到不了的地址：hosts 文件、代理（Clash 等的 fake-ip）或过滤 DNS 这样回答。设备问的是另一个 DNS，\
         它得到什么，这里不知道；从这里能通，不说明设备能通。",
        "On this machine the name leads to an address that no device reaches: a hosts file, a proxy (the fake-ip of Clash and \
         its like) or a filter says so. Devices ask another name server, and what that tells them is not known here: that it \
         works from here proves nothing.",
    ),
    (
        "在设备所在的网络里查询这个域名（nslookup 域名 223.5.5.5）；从 hosts 文件里删掉它，或关掉 fake-ip；或者用 --resolve \
         域名=地址 告诉探测真实的地址。",
        "look the name up in the devices' network (nslookup NAME 223.5.5.5); take it out of the hosts file, or turn fake-ip \
         off; or give the probe the true address: --resolve NAME=ADDRESS.",
    ),
);

/// IPv6 addresses alone.
pub(crate) static NO_IPV4: Rule = Rule::new(
    "no-ipv4",
    (
        "域名只有 IPv6 地址。默认配置的固件没有可用的 IPv6 地址，连接不上。",
        "The name has IPv6 addresses only. Firmware as it is built by default gets no IPv6 address that could reach them.",
    ),
    (
        "给域名加一条 A 记录（IPv4）。",
        "give the name an A record (IPv4).",
    ),
);

/// Nobody listens.
pub(crate) static REFUSED: Rule = Rule::new(
    "refused",
    (
        "连接被拒绝：这个端口上没有程序在监听，或者防火墙拒绝了它。",
        "The connection is refused: nobody listens on this port, or a firewall rejects it.",
    ),
    (
        "启动服务器；检查端口是否与 server.http_port（gateway.ports）一致，Docker 是否映射了端口，防火墙是否放行。",
        "start the server; see that the port is one of gateway.ports (server.http_port), that Docker publishes it, and \
         that the firewall lets it pass.",
    ),
);

/// No answer to a connection.
pub(crate) static CONNECT_TIMEOUT: Rule = Rule::new(
    "connect-timeout",
    (
        "连接没有得到回应：地址不对，或者防火墙（云服务器的安全组）丢弃了它。",
        "The connection gets no answer: the address is wrong, or a firewall (a cloud's security group) drops it.",
    ),
    (
        "检查地址；在安全组和防火墙里放行这个端口。",
        "look at the address; open the port in the security group and the firewall.",
    ),
);

/// No way to the address.
pub(crate) static UNREACHABLE: Rule = Rule::new(
    "unreachable",
    (
        "从这里没有到这个地址的路由，或者连接出错。",
        "There is no way to this address from here, or the connection breaks.",
    ),
    (
        "检查地址和网络；内网地址只能在同一个网络里访问。",
        "look at the address and the network; a private address is reached from its own network only.",
    ),
);

/// The IPv6 address of a name that has both does not answer.
pub(crate) static IPV6_BROKEN: Rule = Rule::new(
    "ipv6-broken",
    (
        "IPv4 能连，IPv6 不能。设备用 IPv4，手机和浏览器可能会慢。",
        "IPv4 works and IPv6 does not. Devices use IPv4; browsers may be slow.",
    ),
    (
        "让服务器也监听 IPv6，或去掉 AAAA 记录。",
        "listen on IPv6, too, or take the AAAA record out.",
    ),
);

/// This machine has no file left.
pub(crate) static THIS_MACHINE: Rule = Rule::new(
    "this-machine",
    (
        "问题出在运行探测的这台机器上，与服务器无关。",
        "The fault is this machine's own, on which the probe runs, and not the server's.",
    ),
    (
        "检查打开文件数的限制（ulimit -n）和网络。",
        "look at its limit of open files (ulimit -n) and its network.",
    ),
);
