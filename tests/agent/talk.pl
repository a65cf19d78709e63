# talk.pl SOCKET CODE - CODE speaks to the agent's control socket as no good client would. It ends with 0 if CODE is true. Nothing hangs: 60 s.
use strict;
use warnings;
use IO::Socket::UNIX;
my ($path, $code) = @ARGV;
alarm 60;
$SIG{PIPE} = 'IGNORE';

# A new connection.
sub there {
    my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) or die "$path: $!";
    $s->autoflush(1);
    return $s;
}
sub request {
    my ($app, $query) = @_;
    s/(["\\])/\\$1/g for $app, $query;
    return "{\"app\":\"$app\",\"query\":\"$query\"}";
}
# Lines up to the one that ends an answer.
sub answer {
    my ($s) = @_;
    my $all = '';
    while (my $line = <$s>) {
        $all .= $line;
        return $all if $line =~ /^\{"(done|error)"/;
    }
    return "$all(hung up)";
}
sub hangs_up { my $s = shift; my $n = sysread $s, my $bytes, 1; return !$n }
sub ask {
    my ($s, $app, $query) = @_;
    print $s request($app, $query), "\n";
    return answer($s);
}
my $good = eval $code;
print STDERR $@ if $@;
exit($good ? 0 : 1);
