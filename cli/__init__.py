"""The command line, installed as the package ``posegraph_cli``; one thin file a command."""
