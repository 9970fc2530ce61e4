// Estimates in C#, for Unity or any .NET, by Open Sound Control: neither a package nor a JSON reader is needed.
//
//   streamaffect run --source webcam --osc 127.0.0.1:9000 --set osc.faces=slots
//
// Unity: put this file into Assets, the component AffectFace onto an object, and read Valence and Arousal in a script.
// Elsewhere: mcs AffectReceiver.cs && mono AffectReceiver.exe 9000 (or `dotnet run` in a project with this file).
// docs/outlets.md lists all addresses.
using System;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading;

/// <summary>The newest number or word of each address, received by a thread of its own; ask it from any thread.</summary>
public sealed class AffectReceiver : IDisposable {
    readonly UdpClient socket;
    readonly ConcurrentDictionary<string, object[]> newest = new ConcurrentDictionary<string, object[]>();

    /// <summary>Called in the receiving thread for each message: its address and its arguments.</summary>
    public event Action<string, object[]> Received;

    public AffectReceiver(int port) {
        socket = new UdpClient(new IPEndPoint(IPAddress.Loopback, port));
        new Thread(Listen) { IsBackground = true }.Start();
    }

    /// <summary>A face's value, such as "valence"; null before the first, and while the stream abstains it stays old:
    /// look at "status" too.</summary>
    public float? Value(string stream, int face, string name) =>
        newest.TryGetValue($"/affect/{stream}/{face}/{name}", out var found) ? found[0] as float? : null;

    public string Status(string stream, int face) =>
        newest.TryGetValue($"/affect/{stream}/{face}/status", out var found) ? found[0] as string : null;

    public void Dispose() => socket.Close();

    void Listen() {
        var from = new IPEndPoint(IPAddress.Any, 0);
        try {
            while (true) Read(new Reader(socket.Receive(ref from)));
        } catch (Exception closed) when (closed is SocketException || closed is ObjectDisposedException) { }
    }

    // A bundle is "#bundle", a time tag of eight bytes, and elements with their size; each element is a message here.
    void Read(Reader bytes) {
        bytes.Text();
        bytes.At += 8;
        while (bytes.At < bytes.Length) {
            bytes.Int();
            var address = bytes.Text();
            var types = bytes.Text();  // "," and a letter for each argument
            var values = new object[types.Length - 1];
            for (var i = 0; i < values.Length; i++)
                values[i] = types[i + 1] == 's' ? bytes.Text() : types[i + 1] == 'i' ? (object)bytes.Int() : bytes.Float();
            newest[address] = values;
            Received?.Invoke(address, values);
        }
    }

    sealed class Reader {  // OSC is big-endian, and everything begins at a multiple of four bytes
        readonly byte[] bytes;
        public int At;
        public Reader(byte[] received) { bytes = received; }
        public int Length => bytes.Length;
        public int Int() => IPAddress.NetworkToHostOrder(BitConverter.ToInt32(bytes, (At += 4) - 4));
        public float Float() => BitConverter.ToSingle(BitConverter.GetBytes(Int()), 0);
        public string Text() {
            var end = Array.IndexOf(bytes, (byte)0, At);
            var text = Encoding.UTF8.GetString(bytes, At, end - At);
            At = end + 4 - end % 4;
            return text;
        }
    }
}

#if UNITY_5_3_OR_NEWER
/// <summary>One face in Unity; its values are those of the last frame that was estimated.</summary>
public sealed class AffectFace : UnityEngine.MonoBehaviour {
    public int port = 9000, face = 1;
    public string stream = "webcam";
    public float Valence { get; private set; }
    public float Arousal { get; private set; }
    public bool IsSure { get; private set; }
    AffectReceiver receiver;

    void OnEnable() => receiver = new AffectReceiver(port);
    void OnDisable() => receiver.Dispose();
    void Update() {
        Valence = receiver.Value(stream, face, "valence") ?? 0f;
        Arousal = receiver.Value(stream, face, "arousal") ?? 0f;
        IsSure = receiver.Status(stream, face) == "ok";
    }
}
#else
public static class Program {
    public static void Main(string[] words) {
        using (var receiver = new AffectReceiver(words.Length > 0 ? int.Parse(words[0]) : 9000)) {
            receiver.Received += (address, values) => Console.WriteLine(address + " " + string.Join(" ",
                Array.ConvertAll(values, one => Convert.ToString(one, System.Globalization.CultureInfo.InvariantCulture))));
            Console.WriteLine("ready");
            Thread.Sleep(Timeout.Infinite);
        }
    }
}
#endif
