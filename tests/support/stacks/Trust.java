import java.io.File;
import java.net.Socket;
import java.security.KeyStore;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** Shakes hands with each of PORT=NAME on this machine, and prints what came of it. */
public class Trust {
    private static SSLContext trusting(String store) throws Exception {
        TrustManagerFactory factory =
                TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(KeyStore.getInstance(new File(store), "changeit".toCharArray()));
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, factory.getTrustManagers(), null);
        return context;
    }

    private static String shakeHands(SSLContext context, int port, String name) throws Exception {
        try (Socket plain = new Socket("127.0.0.1", port);
                SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(plain, name, 443, true)) {
            SSLParameters parameters = socket.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            socket.setSSLParameters(parameters);
            socket.startHandshake();
            return "accepted";
        } catch (SSLException error) {
            return "refused";
        }
    }

    public static void main(String[] arguments) throws Exception {
        SSLContext context = trusting(arguments[0]);
        for (int i = 1; i < arguments.length; i++) {
            String[] target = arguments[i].split("=");
            System.out.println(shakeHands(context, Integer.parseInt(target[0]), target[1]));
        }
    }
}
